// A shared library that is opened when it is first needed.
#pragma once
#include <span>
#include <string>

namespace chiaro::cuda {

class SharedLibrary {
 public:
  // Opens the first of `names` that the loader finds. Throws Error with the loader's reason. Stays open until
  // the process ends: GPU libraries do not survive being unloaded.
  SharedLibrary(const std::string& title, std::span<const std::string> names);

  // function = the symbol of that name. Throws Error when the library has none.
  template <class Function>
  void load(Function*& function, const char* name) const {
    function = reinterpret_cast<Function*>(symbol(name));
  }

 private:
  void* symbol(const char* name) const;

  std::string title_;
  void* handle_ = nullptr;
};

}  // namespace chiaro::cuda
