# Tests as on older processors. NAME_avx2: with the instruction set of this build, oneDNN held to AVX2. NAME_v3 and
# NAME_v2: programs whose kernels are built for x86-64-v3 and x86-64-v2, oneDNN held to AVX2 and SSE4.1. All else is
# compiled for the baseline anyway, so that only what computes on the CPU is compiled again. as_on.sh skips what this
# machine cannot run, or has run already.
get_property(levels GLOBAL PROPERTY CHIARO_LEVELS)

# chiaro_test_level(FOLDER LEVEL PROGRAM): runs the program with the tests of FOLDER as on LEVEL.
function(chiaro_test_level folder level program)
  set(name ${folder}_${level})
  add_test(NAME ${name} COMMAND ${BASH} ${CMAKE_CURRENT_SOURCE_DIR}/as_on.sh ${level} $<TARGET_FILE:${program}>
           WORKING_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR})
  set_tests_properties(${name} PROPERTIES LABELS "unit;${level}" TIMEOUT 900 SKIP_RETURN_CODE 77
                       ENVIRONMENT "CHIARO_PROGRAMS=$<TARGET_FILE_DIR:${program}>")
endfunction()

# chiaro_link_level(TARGET LEVEL NAME OBJECTS LIBRARIES...): one more program of objects that there are already.
function(chiaro_link_level target level name objects)
  add_executable(${target} $<TARGET_OBJECTS:${objects}>)
  target_link_libraries(${target} PRIVATE chiaro_kernels_${level} ${ARGN})
  set_target_properties(${target} PROPERTIES OUTPUT_NAME ${name} RUNTIME_OUTPUT_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR}/${level})
endfunction()

if(levels)
  foreach(folder kernels layers apps)
    chiaro_test_level(${folder} avx2 test_${folder})
  endforeach()
  set_tests_properties(apps_avx2 PROPERTIES ENVIRONMENT "")
endif()
foreach(level ${levels})
  chiaro_link_level(test_kernels_${level} ${level} test_kernels tests_kernels chiaro_test_main chiaro_kernels)
  chiaro_link_level(test_layers_${level} ${level} test_layers tests_layers chiaro_test_main chiaro_layers chiaro_weights)
  foreach(folder kernels layers)
    chiaro_test_level(${folder} ${level} test_${folder}_${level})
  endforeach()
  # No instruction of a newer processor may hide in them.
  add_test(NAME instructions_${level} COMMAND ${BASH} ${CMAKE_CURRENT_SOURCE_DIR}/check_instructions.sh ${level}
           $<TARGET_FILE:test_kernels_${level}> $<TARGET_FILE:test_layers_${level}>)
  set_tests_properties(instructions_${level} PROPERTIES LABELS "unit;${level}" TIMEOUT 120)
endforeach()
if(v3 IN_LIST levels)
  chiaro_link_level(test_apps_v3 v3 test_apps tests_apps chiaro_test_main chiaro_apps)
  foreach(program ${programs})
    chiaro_link_level(${program}_v3 v3 ${program} ${program}_main chiaro_apps)
    add_dependencies(test_apps_v3 ${program}_v3)
  endforeach()
  chiaro_test_level(apps v3 test_apps_v3)
endif()

# Who computes the convolutions of our networks, under each of oneDNN's instruction sets. Those that this machine lacks
# are the same as the best that it has.
foreach(isa SSE41 AVX2 AVX512_CORE)
  add_test(NAME dispatch_walk_${isa} COMMAND test_layers --test-case=dispatch\ walk* WORKING_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR})
  set_tests_properties(dispatch_walk_${isa} PROPERTIES LABELS unit TIMEOUT 300 ENVIRONMENT ONEDNN_MAX_CPU_ISA=${isa})
endforeach()
