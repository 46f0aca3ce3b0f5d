#include "engine/image/image.hpp"
#include "layers/networks/transform_net/transform_model.hpp"

int main() {
  const auto file = chiaro::read_weights("base.h5");
  const auto model = chiaro::make_transform_model(file, "base.h5", {{"wave", 1}});
  const chiaro::Image photo = chiaro::decode_image("photo.jpg");
  chiaro::Context context;  // the CPU, all cores
  chiaro::Stylizer stylizer(context, *model.params, model.config, photo.height, photo.width,
                            chiaro::DType::F32);
  chiaro::Image styled = photo;
  stylizer.run(photo.pixels.data(), styled.pixels.data());
  chiaro::encode_image("styled.png", styled);
}
