#include "kernels/cuda/cudnn_library.hpp"

#include "kernels/cuda/shared_library.hpp"

namespace chiaro::cudnn {

namespace {

constexpr std::size_t kOldest = 90800;

std::string text_of(std::size_t version) {
  return fmt::format("{}.{}.{}", version / 10000, version / 100 % 100, version % 100);
}

Library open() {
  const std::string names[] = {fmt::format("libcudnn.so.{}", CUDNN_MAJOR)};
  const cuda::SharedLibrary file("cuDNN", names);
  Library l{};
  file.load(l.get_version, "cudnnGetVersion");
  require(l.get_version() >= kOldest, "cuDNN {} is installed, {} or newer is needed",
          text_of(l.get_version()), text_of(kOldest));
  file.load(l.get_error_string, "cudnnGetErrorString");
  file.load(l.get_last_error_string, "cudnnGetLastErrorString");
  file.load(l.create, "cudnnCreate");
  file.load(l.destroy, "cudnnDestroy");
  file.load(l.set_stream, "cudnnSetStream");
  file.load(l.create_descriptor, "cudnnBackendCreateDescriptor");
  file.load(l.destroy_descriptor, "cudnnBackendDestroyDescriptor");
  file.load(l.set_attribute, "cudnnBackendSetAttribute");
  file.load(l.get_attribute, "cudnnBackendGetAttribute");
  file.load(l.finalize, "cudnnBackendFinalize");
  file.load(l.execute, "cudnnBackendExecute");
  return l;
}

}  // namespace

const Library& library() {
  static const Library opened = open();
  return opened;
}

std::string version_text() {
  return text_of(library().get_version());
}

void check(cudnnStatus_t status, const char* what) {
  if (status == CUDNN_STATUS_SUCCESS) return;
  char message[1024] = {};
  library().get_last_error_string(message, sizeof message);
  throw LibraryError("cuDNN: cannot {}: {}{}{}", what, library().get_error_string(status),
                     message[0] ? ": " : "", message);
}

}  // namespace chiaro::cudnn
