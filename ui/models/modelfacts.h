// A ModelInfo as labelled lines.
#pragma once

#include "engine/modelinfo.h"

#include <QList>
#include <QString>

#include <utility>

namespace lens {

/// Label and value; what is unknown is left out.
QList<std::pair<QString, QString>> modelFacts(const ModelInfo &info);

} // namespace lens
