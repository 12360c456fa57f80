// Recipes are read again elsewhere: by a program that was started in another folder.
#pragma once

#include "uptrain/recipe.h"

namespace lens {

/// Paths that are relative to the current folder, made absolute; names of models that are no paths stay names.
Recipe withAbsolutePaths(Recipe recipe);

} // namespace lens
