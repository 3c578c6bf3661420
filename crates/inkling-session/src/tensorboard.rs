//! Scalars for TensorBoard. An event file is a sequence of records, each a length, a masked
//! checksum of the length, a protocol-buffer message `Event`, and a masked checksum of it
//! (tensorflow/core/lib/io/record_writer.cc, tensorflow/core/util/event.proto). Only the fields
//! that scalars need are declared here.

use prost::Message;

use crate::error::RunError;
use crate::store::Store;

#[derive(Clone, PartialEq, Message)]
struct Event {
    #[prost(double, tag = "1")]
    wall_time: f64,
    #[prost(int64, tag = "2")]
    step: i64,
    #[prost(oneof = "What", tags = "3, 5, 7")]
    what: Option<What>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
enum What {
    #[prost(string, tag = "3")]
    FileVersion(String),
    #[prost(message, tag = "5")]
    Summary(Summary),
    #[prost(message, tag = "7")]
    SessionLog(SessionLog),
}

#[derive(Clone, PartialEq, Message)]
struct Summary {
    #[prost(message, repeated, tag = "1")]
    value: Vec<SummaryValue>,
}

#[derive(Clone, PartialEq, Message)]
struct SummaryValue {
    #[prost(string, tag = "1")]
    tag: String,
    // Optional, so that a zero is written and not left out.
    #[prost(float, optional, tag = "2")]
    simple_value: Option<f32>,
}

#[derive(Clone, PartialEq, Message)]
struct SessionLog {
    #[prost(int32, tag = "1")]
    status: i32,
}

/// `SessionLog.START`: TensorBoard drops what earlier files hold from this step on.
const SESSION_START: i32 = 1;

/// An event file that grows by one record per call.
#[derive(Debug)]
pub(crate) struct EventWriter {
    name: String,
}

impl EventWriter {
    /// A new event file in `folder`. A resumed run passes the first step that it will write, so
    /// that TensorBoard hides what the interrupted run wrote from there on.
    ///
    /// # Errors
    /// When the folder or the file cannot be written.
    pub(crate) fn create(
        store: &mut Store,
        folder: &str,
        unix_seconds: f64,
        resumed_at: Option<u64>,
    ) -> Result<Self, RunError> {
        store.make_folder(folder)?;
        let writer = Self { name: new_name(store, folder, unix_seconds) };
        let version = What::FileVersion("brain.Event:2".to_owned());
        writer.write(store, &Event { wall_time: unix_seconds, step: 0, what: Some(version) })?;
        if let Some(step) = resumed_at {
            let start = What::SessionLog(SessionLog { status: SESSION_START });
            writer.write(store, &Event { wall_time: unix_seconds, step: signed(step), what: Some(start) })?;
        }
        Ok(writer)
    }

    /// Adds the scalars of one step.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub(crate) fn scalars(
        &self,
        store: &mut Store,
        step: u64,
        unix_seconds: f64,
        scalars: &[(&str, f32)],
    ) -> Result<(), RunError> {
        let value = scalars
            .iter()
            .map(|(tag, value)| SummaryValue { tag: (*tag).to_owned(), simple_value: Some(*value) })
            .collect();
        let what = Some(What::Summary(Summary { value }));
        self.write(store, &Event { wall_time: unix_seconds, step: signed(step), what })
    }

    fn write(&self, store: &mut Store, event: &Event) -> Result<(), RunError> {
        store.append(&self.name, &record(&event.encode_to_vec()))
    }
}

/// TensorBoard reads the files of a folder in the order of their names: the time comes first, and
/// a counter parts those of the same second.
fn new_name(store: &Store, folder: &str, unix_seconds: f64) -> String {
    let seconds = unix_seconds.max(0.0) as u64;
    let name = |count: u32| format!("{folder}/events.out.tfevents.{seconds:010}.inkling.{count:03}");
    (0..u32::MAX).map(name).find(|name| !store.exists(name)).unwrap_or_else(|| name(u32::MAX))
}

fn signed(step: u64) -> i64 {
    i64::try_from(step).unwrap_or(i64::MAX)
}

fn record(message: &[u8]) -> Vec<u8> {
    let length = (message.len() as u64).to_le_bytes();
    let mut record = Vec::with_capacity(message.len() + 16);
    record.extend(length);
    record.extend(masked_checksum(&length).to_le_bytes());
    record.extend(message);
    record.extend(masked_checksum(message).to_le_bytes());
    record
}

/// CRC-32C, rotated and shifted as the format asks for, so that a checksum of data that itself
/// holds checksums stays strong.
fn masked_checksum(bytes: &[u8]) -> u32 {
    crc32c::crc32c(bytes).rotate_right(15).wrapping_add(0xa282_ead8)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events(bytes: &[u8]) -> Vec<Event> {
        let mut rest = bytes;
        let mut events = Vec::new();
        while !rest.is_empty() {
            let length = u64::from_le_bytes(rest[..8].try_into().unwrap()) as usize;
            assert_eq!(rest[8..12], masked_checksum(&rest[..8]).to_le_bytes());
            let message = &rest[12..12 + length];
            assert_eq!(rest[12 + length..16 + length], masked_checksum(message).to_le_bytes());
            events.push(Event::decode(message).unwrap());
            rest = &rest[16 + length..];
        }
        events
    }

    /// The bytes of `Event(wall_time=1.5, step=3, summary=[loss: 0.0])` as TensorFlow's own
    /// schema lays them out, worked out by hand from the field numbers.
    #[test]
    fn a_record_has_the_documented_bytes() {
        let event = Event {
            wall_time: 1.5,
            step: 3,
            what: Some(What::Summary(Summary {
                value: vec![SummaryValue { tag: "loss".to_owned(), simple_value: Some(0.0) }],
            })),
        };
        let mut expected = vec![0x09];
        expected.extend(1.5f64.to_le_bytes());
        expected.extend([0x10, 3, 0x2a, 13, 0x0a, 11, 0x0a, 4]);
        expected.extend(b"loss");
        expected.extend([0x15, 0, 0, 0, 0]);
        assert_eq!(event.encode_to_vec(), expected);
        // The check value of CRC-32C for "123456789" is 0xe3069283 (RFC 3720).
        assert_eq!(masked_checksum(b"123456789"), 0xe306_9283u32.rotate_right(15).wrapping_add(0xa282_ead8));
    }

    #[test]
    fn resumed_runs_start_a_new_file_that_hides_later_steps() {
        let mut store = Store::memory();
        let first = EventWriter::create(&mut store, "events", 1000.0, None).unwrap();
        first.scalars(&mut store, 1, 1000.5, &[("train/loss", 2.0), ("train/accuracy", 0.0)]).unwrap();
        let second = EventWriter::create(&mut store, "events", 1000.9, Some(1)).unwrap();
        assert!(first.name < second.name);
        let written = events(&store.require(&first.name).unwrap());
        assert_eq!(written[0].what, Some(What::FileVersion("brain.Event:2".to_owned())));
        let Some(What::Summary(summary)) = &written[1].what else { panic!("no summary") };
        assert_eq!((written[1].step, summary.value[1].simple_value), (1, Some(0.0)));
        let hidden = &events(&store.require(&second.name).unwrap())[1];
        assert_eq!(hidden.what, Some(What::SessionLog(SessionLog { status: SESSION_START })));
    }
}
