// Model specifications as the window shows and compares them.
#pragma once

#include "convert/conversion.h"
#include "engine/modelinfo.h"

#include <QString>

#include <optional>

class QFileInfo;

namespace lens {

/// "MODEL@CONVERSION" or "MODEL@adapter=FILE" in its parts.
struct SpecificationParts {
    QString model;
    std::optional<QString> conversion;
};

SpecificationParts partsOf(const QString &specification);

/// The file in "adapter=FILE"; empty for conversions.
QString adapterIn(const QString &how);

/// What to call a model before its headers were read.
QString nameFromSpecification(const QString &specification);

/// "stories260K (SUPRA)" becomes "stories260K (SUPRA retnet layers=0,1)" for "...@supra:retnet:layers=0,1": two
/// conversions of one model are told apart by what was chosen for them.
QString withOptions(const QString &name, const QString &specification);

/// The headers are those of the original; what is known of its conversion before it is made.
void describeConversion(ModelInfo &info, const QString &specification);

/// By its name, or by what the folder holds.
bool looksLikeModel(const QFileInfo &file);

/// With the absolute path of what a name stands for, so that it is known again under any working folder and any name.
QString withAbsolutePath(const QString &specification);

} // namespace lens
