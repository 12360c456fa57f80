# supralens_plugin(<name> sources...): an architecture family as a library that the program finds at run time. Used by
# the plugins in this tree and, from the installed package, by those outside of it.
function(supralens_plugin name)
  add_library(supralens-plugin-${name} MODULE ${ARGN})
  set_target_properties(supralens-plugin-${name} PROPERTIES PREFIX "" OUTPUT_NAME "${name}" AUTOMOC OFF
                        LIBRARY_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/lib/supralens/plugins")
  target_compile_features(supralens-plugin-${name} PRIVATE cxx_std_20)
  target_link_libraries(supralens-plugin-${name} PRIVATE SupraLens::model)
endfunction()
