# The SLEIGH library and the tables of the machines in use, from the pinned source.
include(fetch_pypcode)
find_package(ZLIB REQUIRED)

set(_s "${PYPCODE_SOURCE}/sleigh")

# An instruction in a delay slot that the table has no p-code for: SLEIGH names it in its exception by way of a walker that
# lived in the frame just left (found by sleigh_fuzz; corpus/mips-unimplemented-delay-slot). The outer walker still lives.
set(_left "ParserWalker *cur = builder.getCurrentWalker();")
file(READ "${_s}/sleigh.cc" _text)
string(FIND "${_text}" "${_left}" _at)
if(_at EQUAL -1)
  message(FATAL_ERROR "pypcode ${PYPCODE_VERSION}: sleigh.cc no longer holds \"${_left}\"; look whether it was mended")
endif()
string(REPLACE "${_left}" "ParserWalker *cur = &walker;" _text "${_text}")
file(CONFIGURE OUTPUT "${CMAKE_CURRENT_BINARY_DIR}/vendor/sleigh.cc" CONTENT "${_text}" @ONLY)
add_library(sleigh_vendor STATIC
  ${_s}/address.cc ${_s}/compression.cc ${_s}/context.cc ${_s}/float.cc ${_s}/globalcontext.cc ${_s}/marshal.cc
  ${_s}/opcodes.cc ${_s}/pcodecompile.cc ${_s}/pcodeparse.cc ${_s}/pcoderaw.cc ${_s}/semantics.cc ${_s}/slaformat.cc
  "${CMAKE_CURRENT_BINARY_DIR}/vendor/sleigh.cc" ${_s}/sleighbase.cc ${_s}/slghpatexpress.cc ${_s}/slghpattern.cc ${_s}/slghsymbol.cc ${_s}/space.cc
  ${_s}/translate.cc ${_s}/xml.cc)
target_include_directories(sleigh_vendor SYSTEM PUBLIC ${_s})
target_compile_options(sleigh_vendor PRIVATE -w -O2 -fno-sanitize=undefined)
target_compile_features(sleigh_vendor PRIVATE cxx_std_17)
target_link_libraries(sleigh_vendor PUBLIC ZLIB::ZLIB)

add_executable(sleigh_compiler EXCLUDE_FROM_ALL
  ${_s}/filemanage.cc ${_s}/slgh_compile.cc ${_s}/slghparse.cc ${_s}/slghscan.cc)
target_compile_options(sleigh_compiler PRIVATE -w -O2 -fno-sanitize=undefined)
target_link_libraries(sleigh_compiler PRIVATE sleigh_vendor)

# biopsy finds these beside itself: ../share/biopsy/sleigh when installed, share/biopsy/sleigh in the build folder.
set(SLEIGH_TABLES_DIR "${CMAKE_BINARY_DIR}/share/biopsy/sleigh")
file(MAKE_DIRECTORY "${SLEIGH_TABLES_DIR}")
set(_tables "")
foreach(spec IN ITEMS ARM/ARM7_le ARM/ARM7_be MIPS/mips32le MIPS/mips32be AARCH64/AARCH64 x86/x86 x86/x86-64
        PowerPC/ppc_32_be RISCV/riscv.lp64d)
  get_filename_component(_family "${spec}" DIRECTORY)
  get_filename_component(_name "${spec}" NAME)
  set(_out "${SLEIGH_TABLES_DIR}/${_name}.sla")
  set(_cached "${PYPCODE_CACHE}/tables/${_name}.sla")
  set(_maker "")
  if(NOT EXISTS "${_cached}")
    set(_maker sleigh_compiler)
  endif()
  add_custom_command(OUTPUT "${_out}"
    COMMAND ${CMAKE_COMMAND} "-DCOMPILER=$<TARGET_FILE:sleigh_compiler>"
      "-DSPEC=${PYPCODE_SOURCE}/processors/${_family}/data/languages/${_name}.slaspec"
      "-DCACHED=${_cached}" "-DOUT=${_out}" -P ${CMAKE_SOURCE_DIR}/cmake/compile_sla.cmake
    DEPENDS ${_maker} COMMENT "SLEIGH table ${_name}")
  list(APPEND _tables "${_out}")
endforeach()
add_custom_target(sleigh_tables ALL DEPENDS ${_tables})
install(FILES ${_tables} DESTINATION share/biopsy/sleigh)
install(FILES "${PYPCODE_SOURCE}/docs/ghidra/LICENSE" "${PYPCODE_SOURCE}/docs/ghidra/NOTICE"
  DESTINATION share/biopsy/sleigh)
