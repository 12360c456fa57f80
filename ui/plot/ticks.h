// Where axes are marked and how numbers are written. Pure functions.
#pragma once

#include <QString>
#include <QStringList>

#include <vector>

namespace lens {

struct Tick {
    double position = 0;
    QString label;
};

/// How many labels `pixelsEach` wide fit, at least two.
int tickCapacity(double pixels, double pixelsEach);

/// Whole numbers in [lower, upper] at steps of 1, 2, 5, 10, 20, ...; at most `capacity` of them.
std::vector<Tick> integerTicks(double lower, double upper, int capacity);

/// `labels[i]` at position i, all of those within [lower, upper] when they fit, else integerTicks().
std::vector<Tick> labelTicks(const QStringList &labels, double lower, double upper, int capacity);

/// Round numbers in [lower, upper]; 1, 2, 5, 10, ... times a power of ten, or powers of ten (and 2 and 5 times these
/// while there is room) on logarithmic axes.
std::vector<Tick> valueTicks(double lower, double upper, int capacity, bool logarithmic);

/// A few significant digits in the user's locale, without exponents where they can be avoided: "0.0451", "12.3",
/// "4,096", "1.2e-7"; "∞" and "–" for what is not finite.
QString formatValue(double value, int significant = 3);

/// A token as it can be shown in one line: white space and control characters made visible, quoted, at most
/// `limit` characters.
QString formatToken(const QString &text, int limit = 24);

/// Text for a tool tip that is shown as it is, even when a token looks like markup.
QString plainToolTip(const QString &text);

} // namespace lens
