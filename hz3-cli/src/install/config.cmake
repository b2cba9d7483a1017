# hz3, variant `@NAME@`: find_package(hz3_@NAME@) gives
#   hz3::@NAME@         malloc of the program from the shared library
#   hz3::@NAME@-static  malloc of the program inside of the program
get_filename_component(_hz3_prefix "${CMAKE_CURRENT_LIST_DIR}/@UP@" ABSOLUTE)

if(NOT TARGET hz3::@NAME@)
  add_library(hz3::@NAME@-library SHARED IMPORTED)
  set_target_properties(hz3::@NAME@-library PROPERTIES
    IMPORTED_LOCATION "${_hz3_prefix}/@LIBRARIES@/@FILE@"
    IMPORTED_SONAME "@SONAME@")

  # A linker with --as-needed must not drop it.
  add_library(hz3::@NAME@ INTERFACE IMPORTED)
  set_target_properties(hz3::@NAME@ PROPERTIES
    INTERFACE_INCLUDE_DIRECTORIES "${_hz3_prefix}/include"
    INTERFACE_LINK_LIBRARIES "-Wl,--push-state,--no-as-needed;hz3::@NAME@-library;-Wl,--pop-state")

  add_library(hz3::@NAME@-static STATIC IMPORTED)
  set_target_properties(hz3::@NAME@-static PROPERTIES
    IMPORTED_LOCATION "${_hz3_prefix}/@LIBRARIES@/@ARCHIVE@"
    IMPORTED_LINK_INTERFACE_LANGUAGES "C"
    INTERFACE_INCLUDE_DIRECTORIES "${_hz3_prefix}/include"
    INTERFACE_LINK_OPTIONS "LINKER:--undefined=malloc;-pthread")
endif()

unset(_hz3_prefix)
