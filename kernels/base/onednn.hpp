// What every use of oneDNN shares: engine, stream, and a primitive bound to its arguments.
// Included by *_onednn.cpp only, so that the rest of the tree builds without oneDNN.
#pragma once
#include <cstdint>
#include <initializer_list>
#include <oneapi/dnnl/dnnl.hpp>
#include <string>
#include <vector>

#include "kernels/base/error.hpp"
#include "kernels/base/tensor.hpp"

namespace chiaro::onednn {

inline dnnl::engine& engine() {
  static dnnl::engine instance(dnnl::engine::kind::cpu, 0);
  return instance;
}
inline dnnl::stream& stream() {
  static dnnl::stream instance(engine());
  return instance;
}

inline dnnl::memory::data_type data_type(DType dtype) {
  return dtype == DType::F32 ? dnnl::memory::data_type::f32 : dnnl::memory::data_type::bf16;
}

struct Argument {
  int id;                   // DNNL_ARG_...
  dnnl::memory::desc desc;  // of size 0: the argument is left out
};

// A primitive with its memory objects, made once. run() exchanges pointers and allocates nothing; not for use
// by two threads at a time.
class Call {
 public:
  Call() = default;
  Call(dnnl::primitive primitive, std::initializer_list<Argument> arguments)
      : primitive_(std::move(primitive)) {
    for (const Argument& argument : arguments) {
      if (argument.desc.get_size() == 0) {
        memories_.emplace_back();
        continue;
      }
      memories_.push_back(dnnl::memory(argument.desc, engine(), DNNL_MEMORY_NONE));
      arguments_.push_back({argument.id, memories_.back().get()});
    }
  }

  // One pointer for each argument of the constructor, in that order; ignored where the argument was left out.
  void run(std::initializer_list<const void*> pointers) {
    require(pointers.size() == memories_.size(), "oneDNN: {} pointers for {} arguments", pointers.size(),
            memories_.size());
    auto pointer = pointers.begin();
    for (auto& memory : memories_) {
      if (memory) memory.set_data_handle(const_cast<void*>(*pointer));
      ++pointer;
    }
    const auto status = dnnl_primitive_execute(primitive_.get(), stream().get(),
                                               static_cast<int>(arguments_.size()), arguments_.data());
    require(status == dnnl_success, "oneDNN: execution failed with status {}", static_cast<int>(status));
    stream().wait();
  }

 private:
  dnnl::primitive primitive_;
  std::vector<dnnl::memory> memories_;
  std::vector<dnnl_exec_arg_t> arguments_;
};

// Copies between two formats or types; with `add`, to = from + to.
inline Call make_reorder(const dnnl::memory::desc& from, const dnnl::memory::desc& to, bool add = false) {
  dnnl::primitive_attr attr;
  if (add) {
    dnnl::post_ops ops;
    ops.append_sum(1.f);
    attr.set_post_ops(ops);
  }
  return Call(dnnl::reorder(dnnl::reorder::primitive_desc(engine(), from, engine(), to, attr)),
              {{DNNL_ARG_FROM, from}, {DNNL_ARG_TO, to}});
}

// Names a blocked format together with its dimensions and type: equal texts mean interchangeable data.
inline std::string format_text(const dnnl::memory::desc& desc) {
  std::string text;
#if DNNL_VERSION_MAJOR >= 3
  const auto dims = desc.get_padded_dims(), strides = desc.get_strides(), blocks = desc.get_inner_blks(),
             indices = desc.get_inner_idxs();
  const int type = static_cast<int>(desc.get_data_type());
#else
  const auto& blocking = desc.data.format_desc.blocking;
  const std::vector<int64_t> dims(desc.data.padded_dims, desc.data.padded_dims + desc.data.ndims),
      strides(blocking.strides, blocking.strides + desc.data.ndims),
      blocks(blocking.inner_blks, blocking.inner_blks + blocking.inner_nblks),
      indices(blocking.inner_idxs, blocking.inner_idxs + blocking.inner_nblks);
  const int type = static_cast<int>(desc.data.data_type);
#endif
  for (const auto* list : {&dims, &strides, &blocks, &indices}) {
    for (const auto value : *list) text += fmt::format("{},", value);
    text += '/';
  }
  return text + fmt::format("{}", type);
}

}  // namespace chiaro::onednn
