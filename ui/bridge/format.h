// Numbers and errors as people read them, in the user's locale.
#pragma once

#include "base/error.h"

#include <QString>

namespace lens {

QString text(const std::string &utf8);

/// "1.2 MB" (decimal units).
QString formatBytes(quint64 bytes);
/// "135 M", "2.9 M", "260 k".
QString formatCount(quint64 count);
/// "8 ms", "1.4 s", "2 min 5 s".
QString formatSeconds(double seconds);
/// For rough figures: "45 s", "12 min", "3.5 h".
QString formatDuration(double seconds);
/// "1 token", "31 tokens".
QString tokenCount(qint64 count);
QString formatPercent(double fraction);
/// The first six digits of a fingerprint.
QString shortFingerprint(const std::string &fingerprint);
/// "softmax", "SUPRA", "T2R", "linear", "hybrid".
QString mixerName(const std::string &mixer);
/// What kind of failure this is, translated.
QString title(ErrorCode code);
/// One visible line for a token or a piece of text: spaces shown as they are, line breaks as a return sign.
QString visibleToken(const QString &token);

} // namespace lens
