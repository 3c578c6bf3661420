//! Decoding images where it holds nobody up.

/// A decoded image, upright.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RgbaPixels {
    /// Columns.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// `[height, width, 4]`: red, green, blue, opacity.
    pub rgba: Vec<u8>,
}

/// Decodes an image file of at least `columns` columns and scales it to about as many, in a thread
/// of the browser's, while the page goes on. None where there is no such thread, or where the
/// browser cannot read the file: whoever asks then decodes it himself.
///
/// Natively always none, for there an actor has a thread of its own.
#[cfg(not(target_arch = "wasm32"))]
pub async fn decode_image(_bytes: &[u8], _columns: u32) -> Option<RgbaPixels> {
    None
}

#[cfg(target_arch = "wasm32")]
pub use browser::decode_image;

#[cfg(target_arch = "wasm32")]
mod browser {
    use js_sys::{Array, Object, Promise, Reflect, Uint8Array};
    use wasm_bindgen::prelude::*;
    use wasm_bindgen_futures::JsFuture;
    use web_sys::{Blob, ImageBitmap, OffscreenCanvas, OffscreenCanvasRenderingContext2d};

    use super::RgbaPixels;

    #[wasm_bindgen]
    extern "C" {
        // A function of pages and of workers alike.
        #[wasm_bindgen(js_name = createImageBitmap, catch)]
        fn create_image_bitmap(image: &Blob, options: &Object) -> Result<Promise, JsValue>;
    }

    /// Decodes an image file of at least `columns` columns and scales it to about as many, in a
    /// thread of the browser's, while the page goes on. None where the browser cannot read the file:
    /// whoever asks then decodes it himself.
    pub async fn decode_image(bytes: &[u8], columns: u32) -> Option<RgbaPixels> {
        decode(bytes, columns).await.ok()
    }

    async fn decode(bytes: &[u8], columns: u32) -> Result<RgbaPixels, JsValue> {
        let blob = Blob::new_with_u8_array_sequence(&Array::of1(&Uint8Array::from(bytes)))?;
        let options = Object::new();
        Reflect::set(&options, &"resizeWidth".into(), &columns.into())?;
        Reflect::set(&options, &"resizeQuality".into(), &"high".into())?;
        let bitmap: ImageBitmap = JsFuture::from(create_image_bitmap(&blob, &options)?).await?.dyn_into()?;
        let pixels = read(&bitmap);
        // Its memory would else be kept until the next collection of garbage.
        bitmap.close();
        pixels
    }

    fn read(bitmap: &ImageBitmap) -> Result<RgbaPixels, JsValue> {
        let (width, height) = (bitmap.width(), bitmap.height());
        let canvas = OffscreenCanvas::new(width, height)?;
        // What is read back at once is best drawn by the processor.
        let options = Object::new();
        Reflect::set(&options, &"willReadFrequently".into(), &true.into())?;
        let context = canvas.get_context_with_context_options("2d", &options)?.ok_or("no 2D context")?;
        let context: OffscreenCanvasRenderingContext2d = context.dyn_into()?;
        context.draw_image_with_image_bitmap(bitmap, 0.0, 0.0)?;
        let data = context.get_image_data(0.0, 0.0, f64::from(width), f64::from(height))?;
        Ok(RgbaPixels { width, height, rgba: data.data().0 })
    }
}
