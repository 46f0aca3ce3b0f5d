#include <CLI/CLI.hpp>

#include "apps/inspect/commands.hpp"
#include "apps/inspect/run_config.hpp"
#include "apps/training/style_trainer.hpp"
#include "apps/training/training_task.hpp"
#include "engine/data/photo_source.hpp"
#include "engine/io/h5_file.hpp"
#include "engine/param_io.hpp"
#include "engine/transfer.hpp"
#include "kernels/base/say.hpp"

namespace chiaro {

namespace {

struct GradientsOptions : ConfigOptions {
  std::string output;
};

void write_number(H5Writer& file, const std::string& name, double value) {
  file.doubles(name, {}, {&value, 1});
}

void write_pictures(H5Writer& file, const std::string& name, Context& context, TensorView x) {
  const std::array<std::int64_t, 4> shape{x.shape.n, x.shape.h, x.shape.w, x.shape.c};
  file.floats(name, shape, read_tensor(context, x));
}

void write_terms(H5Writer& file, const std::vector<StyleTrainer::Term>& terms,
                 const std::vector<double>& gradient_norms) {
  double total = 0;
  say(stdout, "{:<10} {:>14} {:>14} {:>14}\n", "term", "raw", "weighted", "gradient norm");
  for (std::size_t i = 0; i < terms.size(); ++i) {
    const auto& term = terms[i];
    write_number(file, "raw/" + term.name, term.raw);
    write_number(file, "weighted/" + term.name, term.weighted());
    write_number(file, "gradient_norms/" + term.name, gradient_norms[i]);
    say(stdout, "{:<10} {:>14.6g} {:>14.6g} {:>14.6g}\n", term.name, term.raw, term.weighted(),
        gradient_norms[i]);
    total += term.weighted();
  }
  write_number(file, "total", total);
  say(stdout, "{:<10} {:>14} {:>14.6g}\n", "total", "", total);
}

int run_gradients(const GradientsOptions& options) {
  Context context = make_context(options.common);
  const auto [config, dtype] = load_run_config(context, options);
  const std::shared_ptr<const PhotoSource> source = open_photo_source(config.data.train);
  H5Writer file(options.output);
  Batch batch;
  BatchBuilder(source, batch_options(config)).build(0, batch);
  StyleTrainer trainer(context, config, dtype, {});
  for (const auto& note : trainer.notes()) say(stderr, "note: {}\n", note);

  file.attribute("/", "config", to_toml(config));
  std::vector<std::string> photos;
  for (const std::int64_t photo : batch.photos) photos.push_back(source->name(photo));
  file.strings("photos", photos);
  const std::int64_t size = config.data.image_size;
  const std::array<std::int64_t, 4> shape{config.data.batch_size, size, size, 3};
  file.bytes("batch", shape, batch.pixels);

  const auto norms = trainer.gradient_norms(batch.pixels);
  write_terms(file, trainer.forward(batch.pixels), norms);
  write_pictures(file, "output", context, trainer.session().tensor(trainer.generated()));
  trainer.backward();
  write_pictures(file, "grad_output", context, trainer.session().gradient(trainer.generated()));
  for (const auto& tensor : save_slab(trainer.params(), trainer.params().gradients()))
    file.floats("grad/" + tensor.name, tensor.shape, tensor.values);
  file.close();
  say(stdout, "gradient norm of the parameters {:.6g}; written to {}\n", trainer.parameter_gradient_norm(),
      options.output);
  return 0;
}

}  // namespace

void add_gradients_command(CLI::App& app, Command& chosen) {
  const auto options = std::make_shared<GradientsOptions>();
  CLI::App* command =
      app.add_subcommand("gradients", "write the losses and gradients of a run's first step, as HDF5");
  command->footer(
      "Nothing is updated and no run folder is made. OUT.h5 holds\n"
      "  photos, batch          names and pixels (batch, size, size, 3) of the first batch\n"
      "  output, grad_output    the generated pictures, and the gradient of the total at them\n"
      "  raw/TERM, weighted/TERM, total, gradient_norms/TERM (at the generated pictures)\n"
      "  grad/PARAMETER         in the parameter's shape; convolutions (out, row, column, in)\n"
      "and the attribute config, the configuration with every default filled in.\n"
      "Example:\n"
      "  inspect_engine gradients starry_night.toml --set data.batch_size=1 -o gradients.h5");
  add_config_options(*command, *options)->required();
  command->add_option("-o,--output", options->output, "HDF5 file to write")->required()->type_name("FILE");
  command->callback([options, &chosen] { chosen = [options] { return run_gradients(*options); }; });
}

}  // namespace chiaro
