// Makes egui cheap to paint on software adapters. They have no branches: of every `if` of a shader
// they run both sides and keep one. egui's shader has a second way to read a texture, four texels
// by hand, for tests that compare pictures from different machines; without it SwiftShader draws
// about four times as many frames. The shader is not ours and has no setting for it, so that way is
// taken out of its text when the painter hands it to the browser.

const CONDITION = "r_locals.predictable_texture_filtering == 0";

/** Applies to every shader that the page makes from now on; all but egui's pass unchanged. */
export function simplifyPainter() {
  const { createShaderModule } = GPUDevice.prototype;
  GPUDevice.prototype.createShaderModule = function (descriptor) {
    if (!descriptor.code.includes(CONDITION)) {
      return createShaderModule.call(this, descriptor);
    }
    performance.mark("painter-simplified");
    return createShaderModule.call(this, { ...descriptor, code: descriptor.code.replace(CONDITION, "true") });
  };
}
