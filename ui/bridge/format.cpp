#include "bridge/format.h"

#include <QCoreApplication>
#include <QLocale>

#include <cmath>

namespace lens {
namespace {

struct Tr {
    Q_DECLARE_TR_FUNCTIONS(Format)
};

QString scaled(double value)
{
    return QLocale().toString(value, 'f', value < 9.95 && value != std::floor(value) ? 1 : 0);
}

} // namespace

QString text(const std::string &utf8)
{
    return QString::fromStdString(utf8);
}

QString formatBytes(quint64 bytes)
{
    if (bytes < 1000)
        return Tr::tr("%1 B").arg(bytes);
    if (bytes < 1000 * 1000)
        return Tr::tr("%1 kB").arg(scaled(bytes / 1e3));
    if (bytes < 1000ull * 1000 * 1000)
        return Tr::tr("%1 MB").arg(scaled(bytes / 1e6));
    return Tr::tr("%1 GB").arg(scaled(bytes / 1e9));
}

QString formatCount(quint64 count)
{
    if (count < 10000)
        return QLocale().toString(count);
    if (count < 1000000)
        return Tr::tr("%1 k").arg(scaled(count / 1e3));
    if (count < 1000000000)
        return Tr::tr("%1 M").arg(scaled(count / 1e6));
    return Tr::tr("%1 B", "billions").arg(scaled(count / 1e9));
}

QString formatSeconds(double seconds)
{
    if (seconds < 1)
        return Tr::tr("%1 ms").arg(QLocale().toString(seconds * 1000, 'f', 0));
    if (seconds < 60)
        return Tr::tr("%1 s").arg(QLocale().toString(seconds, 'f', 1));
    const int whole = int(seconds);
    return Tr::tr("%1 min %2 s").arg(whole / 60).arg(whole % 60);
}

QString formatDuration(double seconds)
{
    if (seconds < 90)
        return Tr::tr("%1 s").arg(QLocale().toString(seconds, 'f', 0));
    if (seconds < 5400)
        return Tr::tr("%1 min").arg(QLocale().toString(seconds / 60, 'f', 0));
    return Tr::tr("%1 h").arg(QLocale().toString(seconds / 3600, 'f', 1));
}

QString tokenCount(qint64 count)
{
    return count == 1 ? Tr::tr("1 token") : Tr::tr("%1 tokens").arg(QLocale().toString(count));
}

QString formatPercent(double fraction)
{
    const double percent = fraction * 100;
    return Tr::tr("%1 %").arg(QLocale().toString(percent, 'f', percent < 10 || percent > 99.5 ? 1 : 0));
}

QString shortFingerprint(const std::string &fingerprint)
{
    return QString::fromStdString(fingerprint.substr(0, 6));
}

QString mixerName(const std::string &mixer)
{
    if (mixer == "supra" || mixer == "t2r")
        return QString::fromStdString(mixer).toUpper();
    if (mixer == "mamba")
        return QStringLiteral("Mamba");
    if (mixer == "rwkv4" || mixer == "rwkv5")
        return QStringLiteral("RWKV-%1").arg(QLatin1Char(mixer.back()));
    return QString::fromStdString(mixer);
}

QString title(ErrorCode code)
{
    switch (code) {
    case ErrorCode::Cancelled: return Tr::tr("Stopped");
    case ErrorCode::InvalidArgument: return Tr::tr("This cannot be done");
    case ErrorCode::NotFound: return Tr::tr("Not found");
    case ErrorCode::Io: return Tr::tr("The file could not be read or written");
    case ErrorCode::Truncated: return Tr::tr("The file is incomplete");
    case ErrorCode::Malformed: return Tr::tr("The file is damaged");
    case ErrorCode::Unsupported: return Tr::tr("Not supported");
    case ErrorCode::LimitExceeded: return Tr::tr("Too large");
    case ErrorCode::Mismatch: return Tr::tr("These do not fit together");
    case ErrorCode::OutOfMemory: return Tr::tr("Not enough memory");
    case ErrorCode::Device: return Tr::tr("The device is not available");
    case ErrorCode::Busy: return Tr::tr("In use elsewhere");
    case ErrorCode::NewerVersion: return Tr::tr("Written by a newer version");
    case ErrorCode::Internal: break;
    }
    return Tr::tr("Something went wrong inside SUPRA Lens");
}

QString visibleToken(const QString &token)
{
    QString shown = token;
    shown.replace(QLatin1Char('\n'), QChar(0x21b5)).replace(QLatin1Char('\t'), QChar(0x21e5));
    return shown;
}

} // namespace lens
