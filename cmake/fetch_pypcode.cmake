# The pinned source package of SLEIGH (Ghidra's processor specifications and translator, Apache-2.0) in, an unpacked
# folder in the build cache out: sets PYPCODE_SOURCE and PYPCODE_CACHE. Network is used once; later builds are offline.
set(PYPCODE_VERSION 4.1.0)
set(PYPCODE_SHA256 9a9fadff73eecab45ce6ccaf4025c66623c349b862fad975a80d026a031987bd)

if(DEFINED ENV{XDG_CACHE_HOME} AND NOT "$ENV{XDG_CACHE_HOME}" STREQUAL "")
  set(_default_cache "$ENV{XDG_CACHE_HOME}/biopsy-build")
elseif(DEFINED ENV{HOME} AND NOT "$ENV{HOME}" STREQUAL "")
  set(_default_cache "$ENV{HOME}/.cache/biopsy-build")
else()
  set(_default_cache "${CMAKE_SOURCE_DIR}/.cache")
endif()
set(BIOPSY_CACHE_DIR "${_default_cache}" CACHE PATH "Where fetched and generated third-party files are kept between builds")

set(PYPCODE_CACHE "${BIOPSY_CACHE_DIR}/pypcode-${PYPCODE_VERSION}")
set(_archive "${PYPCODE_CACHE}/pypcode-${PYPCODE_VERSION}.tar.gz")
set(PYPCODE_SOURCE "${PYPCODE_CACHE}/pypcode-${PYPCODE_VERSION}/pypcode")
file(MAKE_DIRECTORY "${PYPCODE_CACHE}")
file(LOCK "${PYPCODE_CACHE}" DIRECTORY TIMEOUT 300)

set(_have "")
if(EXISTS "${_archive}")
  file(SHA256 "${_archive}" _have)
endif()
if(NOT _have STREQUAL PYPCODE_SHA256)
  message(STATUS "Fetching pypcode ${PYPCODE_VERSION} (source) through pip")
  find_package(Python3 COMPONENTS Interpreter REQUIRED)
  execute_process(
    COMMAND ${CMAKE_COMMAND} -E env
      "PYTHONPATH=${CMAKE_CURRENT_LIST_DIR}/pip_backend" PYTHONDONTWRITEBYTECODE=1
      BIOPSY_SOURCE_NAME=pypcode BIOPSY_SOURCE_VERSION=${PYPCODE_VERSION}
      ${Python3_EXECUTABLE} -m pip download --quiet --no-deps --no-binary :all: --ignore-requires-python
      --no-build-isolation --dest "${PYPCODE_CACHE}" pypcode==${PYPCODE_VERSION}
    RESULT_VARIABLE _status ERROR_VARIABLE _output OUTPUT_VARIABLE _output)
  if(NOT _status EQUAL 0)
    message(FATAL_ERROR "pip could not download pypcode ${PYPCODE_VERSION}; a copy of its source archive may be put at\n"
                        "${_archive}\n${_output}")
  endif()
  file(SHA256 "${_archive}" _have)
  if(NOT _have STREQUAL PYPCODE_SHA256)
    file(REMOVE "${_archive}")
    message(FATAL_ERROR "pypcode ${PYPCODE_VERSION}: the archive's SHA-256 is ${_have}, expected ${PYPCODE_SHA256}")
  endif()
endif()
if(NOT EXISTS "${PYPCODE_SOURCE}/sleigh/sleigh.hh")
  file(ARCHIVE_EXTRACT INPUT "${_archive}" DESTINATION "${PYPCODE_CACHE}")
endif()
file(LOCK "${PYPCODE_CACHE}" DIRECTORY RELEASE)
