// What writing a model into a folder would meet there.
#pragma once

#include "engine/engine.h"

#include <QString>

namespace lens {

struct WritePlace {
    enum class Kind {
        Free,      ///< no model there
        Replaces,  ///< a model of the same form, whose files would be replaced
        Taken      ///< files that would stay: opened again, the folder might give the model it had before
    };
    Kind kind = Kind::Free;
    QString file;  ///< one of the files that are there; empty when it is free
};

WritePlace writePlace(const QString &folder, SaveFormat format);

} // namespace lens
