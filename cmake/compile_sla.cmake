# cmake -DCOMPILER=... -DSPEC=x.slaspec -DCACHED=x.sla -DOUT=x.sla -P: one processor specification in, its table out.
# The table depends on the pinned source alone, so it is kept in the build cache and made once for all build folders.
if(NOT EXISTS "${CACHED}")
  get_filename_component(folder "${CACHED}" DIRECTORY)
  file(MAKE_DIRECTORY "${folder}")
  string(RANDOM LENGTH 8 unique)
  execute_process(COMMAND "${COMPILER}" "${SPEC}" "${CACHED}.${unique}" RESULT_VARIABLE status OUTPUT_VARIABLE said ERROR_VARIABLE said)
  if(NOT status EQUAL 0)
    message(FATAL_ERROR "SLEIGH compiler failed on ${SPEC}\n${said}")
  endif()
  file(RENAME "${CACHED}.${unique}" "${CACHED}")
endif()
file(COPY_FILE "${CACHED}" "${OUT}")
