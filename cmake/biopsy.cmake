# The three kinds of target that a folder has: a library, its tests, its fuzz doors.

set(BIOPSY_WARNINGS -Wall -Wextra -Wshadow -Wconversion -Wno-sign-conversion -Wnon-virtual-dtor -Wold-style-cast
    CACHE STRING "Warnings for the project's own code")

# biopsy_library(NAME SOURCES a.cc ... DEPS other ...): static library from one folder. Includes are written from src/.
function(biopsy_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPS" ${ARGN})
  add_library(${name} STATIC ${ARG_SOURCES})
  target_compile_options(${name} PRIVATE ${BIOPSY_WARNINGS})
  target_include_directories(${name} PUBLIC ${CMAKE_SOURCE_DIR}/src)
  target_link_libraries(${name} PUBLIC ${ARG_DEPS})
  if(BIOPSY_FUZZ)
    target_compile_options(${name} PUBLIC -fsanitize=fuzzer-no-link,address,undefined)
  endif()
endfunction()

# biopsy_test(NAME SOURCES a_test.cc ... DEPS lib ...): one GoogleTest program, one ctest entry, run from the source root.
function(biopsy_test name)
  cmake_parse_arguments(ARG "" "TIMEOUT" "SOURCES;DEPS" ${ARGN})
  if(BIOPSY_FUZZ)
    return()
  endif()
  add_executable(${name} ${ARG_SOURCES})
  target_compile_options(${name} PRIVATE ${BIOPSY_WARNINGS})
  target_link_libraries(${name} PRIVATE ${ARG_DEPS} GTest::gtest GTest::gmock GTest::gtest_main)
  target_compile_definitions(${name} PRIVATE BIOPSY_SOURCE_DIR="${CMAKE_SOURCE_DIR}" BIOPSY_BUILD_DIR="${CMAKE_BINARY_DIR}")
  add_test(NAME ${name} COMMAND ${name} WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 300)
  endif()
  set_tests_properties(${name} PROPERTIES TIMEOUT ${ARG_TIMEOUT} SKIP_RETURN_CODE 77)
endfunction()

# biopsy_fuzz(NAME SOURCE door.cc DEPS lib ... CORPUS dir): a libFuzzer door in the fuzz preset; in every other preset
# a plain program that replays the committed corpus once, as a test. The door defines LLVMFuzzerTestOneInput.
function(biopsy_fuzz name)
  cmake_parse_arguments(ARG "" "SOURCE;CORPUS" "DEPS" ${ARGN})
  add_executable(${name} ${ARG_SOURCE})
  target_compile_options(${name} PRIVATE ${BIOPSY_WARNINGS})
  target_link_libraries(${name} PRIVATE ${ARG_DEPS})
  if(BIOPSY_FUZZ)
    target_link_options(${name} PRIVATE -fsanitize=fuzzer,address,undefined)
    if(NOT TARGET fuzz_doors)
      add_custom_target(fuzz_doors)
    endif()
    add_dependencies(fuzz_doors ${name})
    file(WRITE ${CMAKE_CURRENT_BINARY_DIR}/${name}.corpus "${CMAKE_CURRENT_SOURCE_DIR}/${ARG_CORPUS}\n")
  else()
    target_sources(${name} PRIVATE ${CMAKE_SOURCE_DIR}/cmake/replay_main.cc)
    add_test(NAME ${name} COMMAND ${name} ${CMAKE_CURRENT_SOURCE_DIR}/${ARG_CORPUS} WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
    set_tests_properties(${name} PROPERTIES TIMEOUT 300 LABELS replay)
  endif()
endfunction()

# biopsy_embed(TARGET HEADER NAMESPACE name=file ...): data files built into a library as string_views.
# HEADER is the include path ("derive/embedded.h"); files are given relative to the source root.
function(biopsy_embed target header namespace)
  set(files "")
  set(depends "")
  foreach(entry IN LISTS ARGN)
    string(REGEX MATCH "^([a-z0-9_]+)=(.*)$" _ "${entry}")
    list(APPEND files "${CMAKE_MATCH_1}=${CMAKE_SOURCE_DIR}/${CMAKE_MATCH_2}")
    list(APPEND depends "${CMAKE_SOURCE_DIR}/${CMAKE_MATCH_2}")
  endforeach()
  set(out ${CMAKE_BINARY_DIR}/generated/${header})
  add_custom_command(OUTPUT ${out} VERBATIM
    COMMAND ${CMAKE_COMMAND} -DOUT=${out} -DNAMESPACE=${namespace} "-DFILES=${files}" -P ${CMAKE_SOURCE_DIR}/cmake/embed.cmake
    DEPENDS ${depends} ${CMAKE_SOURCE_DIR}/cmake/embed.cmake)
  target_sources(${target} PRIVATE ${out})
  target_include_directories(${target} PUBLIC ${CMAKE_BINARY_DIR}/generated)
endfunction()
