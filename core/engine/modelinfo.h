#pragma once

#include "model/modelinfo.h"
