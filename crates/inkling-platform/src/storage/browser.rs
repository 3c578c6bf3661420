//! One entry per name in an IndexedDB of the origin. It works in workers and private windows too,
//! where the Origin Private File System of some browsers does not.

use idb::{Database, DatabaseEvent, Factory, Query, TransactionMode};
use js_sys::Uint8Array;
use wasm_bindgen::{JsCast, JsValue};

use super::StorageError;

const DATABASE: &str = "inkling";
const STORE: &str = "blobs";
const REMEDY: &str = "allow this site to store data, or leave the private window";

/// The database of this origin. It is opened for each call: that takes a millisecond, and a
/// connection that the browser closed in between cannot be met.
#[derive(Clone, Debug)]
pub(super) struct Place;

impl Place {
    pub fn of_user() -> Result<Self, StorageError> {
        Factory::new().map(|_| Self).map_err(|error| unavailable(&error))
    }

    pub async fn get(&self, name: &str) -> Result<Option<Vec<u8>>, StorageError> {
        let database = open().await?;
        let value = read(&database, name).await;
        database.close();
        let value = value.map_err(|error| failed("read", name, &error))?;
        Ok(value.and_then(|value| value.dyn_into::<Uint8Array>().ok()).map(|bytes| bytes.to_vec()))
    }

    pub async fn put(&self, name: &str, bytes: &[u8]) -> Result<(), StorageError> {
        let database = open().await?;
        let written = write(&database, name, bytes).await;
        database.close();
        written.map_err(|error| {
            if error.to_string().contains("Quota") {
                StorageError::Full { name: name.to_owned(), bytes: bytes.len() }
            } else {
                failed("write", name, &error)
            }
        })
    }

    pub async fn remove(&self, name: &str) -> Result<(), StorageError> {
        let database = open().await?;
        let removed = delete(&database, name).await;
        database.close();
        removed.map_err(|error| failed("remove", name, &error))
    }

    pub async fn list(&self) -> Result<Vec<String>, StorageError> {
        let database = open().await?;
        let keys = keys(&database).await;
        database.close();
        let keys = keys.map_err(|error| failed("list", "data", &error))?;
        Ok(keys.iter().filter_map(JsValue::as_string).collect())
    }
}

async fn open() -> Result<Database, StorageError> {
    let opened = async {
        let mut request = Factory::new()?.open(DATABASE, Some(1))?;
        request.on_upgrade_needed(|event| {
            // A failure here fails the request, and with that the await below.
            if let Ok(database) = event.database() {
                let _ = database.create_object_store(STORE, idb::ObjectStoreParams::new());
            }
        });
        request.await
    };
    opened.await.map_err(|error| unavailable(&error))
}

async fn read(database: &Database, name: &str) -> Result<Option<JsValue>, idb::Error> {
    let transaction = database.transaction(&[STORE], TransactionMode::ReadOnly)?;
    transaction.object_store(STORE)?.get(Query::Key(name.into()))?.await
}

async fn write(database: &Database, name: &str, bytes: &[u8]) -> Result<(), idb::Error> {
    let transaction = database.transaction(&[STORE], TransactionMode::ReadWrite)?;
    transaction.object_store(STORE)?.put(&Uint8Array::from(bytes), Some(&name.into()))?.await?;
    // The bytes are kept when the transaction is complete, not when the request is.
    transaction.commit()?.await.map(drop)
}

async fn delete(database: &Database, name: &str) -> Result<(), idb::Error> {
    let transaction = database.transaction(&[STORE], TransactionMode::ReadWrite)?;
    transaction.object_store(STORE)?.delete(Query::Key(name.into()))?.await?;
    transaction.commit()?.await.map(drop)
}

async fn keys(database: &Database) -> Result<Vec<JsValue>, idb::Error> {
    let transaction = database.transaction(&[STORE], TransactionMode::ReadOnly)?;
    transaction.object_store(STORE)?.get_all_keys(None, None)?.await
}

fn unavailable(error: &idb::Error) -> StorageError {
    StorageError::Unavailable { reason: error.to_string(), remedy: REMEDY }
}

fn failed(action: &'static str, name: &str, error: &idb::Error) -> StorageError {
    StorageError::Failed { action, name: name.to_owned(), reason: error.to_string() }
}
