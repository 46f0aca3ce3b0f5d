// The only place where chiaro reads the environment.
#pragma once
#include <filesystem>

namespace chiaro {

// Into settings(): CHIARO_LOG, CHIARO_IMPL, CHIARO_CUDNN_TUNE; CHIARO_CUDA_GRAPH=0 turns recording off,
// CHIARO_SYNC turns waiting on. Call before the first op.
void read_settings();

// chiaro/ in XDG_CACHE_HOME, or in ~/.cache; in the folder for temporary files where neither is known.
std::filesystem::path cache_folder();

// How long threads that wait for others keep their core busy: GNU OpenMP lets them spin for milliseconds by
// default. On a machine that does other things too, a spinning thread holds the core that the one it waits
// for could run on: beside one busy process a picture then takes three times as long and more. Some twenty
// microseconds are enough to bridge the gaps of an idle machine.
// Sets that limit unless the environment does (OMP_WAIT_POLICY, GOMP_SPINCOUNT). OpenMP reads it once, when a
// program is loaded, so this program is started anew with it, same arguments, same process. Call first in
// main(). Where that is not possible nothing happens.
void limit_spinning(char** argv);

}  // namespace chiaro
