// The parts of plots that need no screen: colours, ticks, geometry, tables.
#include "plot/colorscale.h"
#include "plot/heatgeometry.h"
#include "plot/plottable.h"
#include "plot/ticks.h"

#include <QBuffer>
#include <QTest>

#include <cmath>
#include <limits>

using namespace lens;

class PlotMath : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void magnitudesGrowEvenlyLighter()
    {
        const double first = lightness(colorAt(ColorScale::Magnitude, 0));
        const double last = lightness(colorAt(ColorScale::Magnitude, 1));
        double before = first;
        for (int i = 1; i <= 20; ++i) {
            const double here = lightness(colorAt(ColorScale::Magnitude, i / 20.0));
            QVERIFY(here > before);
            QVERIFY(std::abs(here - (first + (last - first) * i / 20.0)) < 4);
            before = here;
        }
    }

    void differencesAreWhiteAtZeroAndBalanced()
    {
        const ValueRange range = ValueRange::symmetric(0.3);
        QCOMPARE(colorAt(ColorScale::Difference, range.position(0)), QColor(Qt::white));
        const QColor negative = colorAt(ColorScale::Difference, range.position(-0.3));
        const QColor positive = colorAt(ColorScale::Difference, range.position(0.3));
        QVERIFY(negative.blue() > negative.red());
        QVERIFY(positive.red() > positive.blue());
        QVERIFY(std::abs(lightness(negative) - lightness(positive)) < 8);
        QCOMPARE(colorAt(ColorScale::Difference, -3), colorAt(ColorScale::Difference, 0));
    }

    void rangesAreNeverEmpty()
    {
        for (const bool logarithmic : {false, true}) {
            for (const ValueRange &range : {ValueRange{0, 0}, ValueRange{3, 3}, ValueRange{-1, -1}, ValueRange{INFINITY, -INFINITY}}) {
                const ValueRange usable = usableRange(range, logarithmic);
                QVERIFY(usable.upper > usable.lower);
                QVERIFY(!logarithmic || usable.lower > 0);
            }
        }
        QCOMPARE(ValueRange({1, 100}).position(10, true), 0.5);
        QCOMPARE(ValueRange({1, 100}).position(0, true), 0.0);
    }

    void integerTicksAreRoundAndFew()
    {
        for (const double upper : {0.5, 8.5, 139.5, 2047.5, 1e6}) {
            for (const int capacity : {2, 5, 11}) {
                const std::vector<Tick> ticks = integerTicks(-0.5, upper, capacity);
                QVERIFY(!ticks.empty());
                QVERIFY(int(ticks.size()) <= capacity);
                for (const Tick &tick : ticks)
                    QCOMPARE(tick.position, std::round(tick.position));
            }
        }
        QCOMPARE(integerTicks(-0.5, 139.5, 8)[1].position, 20.0);
        QVERIFY(integerTicks(0.2, 0.8, 5).empty());
    }

    void valueTicksAreRoundAndInside()
    {
        const std::vector<Tick> linear = valueTicks(0, 0.27, 4, false);
        QCOMPARE(linear.front().label, QLocale().toString(0.0, 'f', 1));
        for (const Tick &tick : valueTicks(0.013, 740, 6, true))
            QVERIFY(tick.position >= 0.0129 && tick.position <= 741);
        QVERIFY(valueTicks(1e-9, 1e9, 5, true).size() <= 5);
        QVERIFY(valueTicks(2, 2, 5, false).empty());
    }

    void labelsGiveWayToNumbers()
    {
        const QStringList words{"a", "b", "c", "d"};
        QCOMPARE(labelTicks(words, -0.5, 3.5, 10).at(2).label, QString("c"));
        QCOMPARE(labelTicks(words, -0.5, 3.5, 2).at(0).label, QString("0"));
    }

    void numbersReadWell()
    {
        QCOMPARE(formatValue(std::numeric_limits<double>::quiet_NaN()), QString("–"));
        QCOMPARE(formatValue(INFINITY), QString("∞"));
        QCOMPARE(formatValue(0.045123), QLocale().toString(0.0451, 'f', 4));
        QCOMPARE(formatValue(44.36), QLocale().toString(44.4, 'f', 1));
        QCOMPARE(formatToken(" fox\n"), QString("“·fox↵”"));
        QVERIFY(plainToolTip("</b>\n").contains("&lt;/b&gt;\n"));
        QCOMPARE(formatToken(QString(100, 'x'), 10).size(), 12);
    }

    void binsCoverWhatIsSeenWithinThePixels()
    {
        for (const qsizetype cells : {1, 7, 270, 2000, 100001}) {
            for (const qsizetype pixels : {1, 10, 450}) {
                const Bins bins = binsFor(-0.5, double(cells) - 0.5, cells, pixels);
                QCOMPARE(bins.first, 0);
                QVERIFY(bins.count <= pixels);
                QVERIFY(bins.count * bins.width >= cells);
                QVERIFY((bins.count - 1) * bins.width < cells);
            }
        }
        const Bins zoomed = binsFor(99.6, 120.4, 2000, 450);
        QCOMPARE(zoomed.first, 100);
        QCOMPARE(zoomed.count, 21);
        QCOMPARE(zoomed.centre(3), 103.0);
        QCOMPARE(binsFor(0, 0, 5, 5).count, 0);
    }

    void nearestCellStopsAtTheEdges()
    {
        QCOMPARE(nearestCell(-0.4, 3).value(), 0);
        QCOMPARE(nearestCell(1.5, 3).value(), 2);
        QVERIFY(!nearestCell(-0.6, 3));
        QVERIFY(!nearestCell(2.6, 3));
        QVERIFY(!nearestCell(std::numeric_limits<double>::quiet_NaN(), 3));
    }

    void binsHoldMeansOfFiniteCells()
    {
        const float none = std::numeric_limits<float>::quiet_NaN();
        const auto value = [none](qsizetype row, qsizetype column) { return row == 2 ? none : float(row * 10 + column); };
        const Bins rows{0, 1, 3}, columns{0, 2, 3};
        std::vector<float> cells;
        fillBins(rows, columns, 3, 5, 0, value, cells);
        QCOMPARE(cells[0], 0.5f);
        QCOMPARE(cells[1], 10.5f);
        QVERIFY(std::isnan(cells[2]));
        QCOMPARE(cells[6], 4.0f);  // the last bin has one column only
        cells[0] = -1;
        fillBins(rows, columns, 3, 5, 1, value, cells);
        QCOMPARE(cells[0], -1.0f);
    }

    void csvIsQuotedAndExact()
    {
        PlotTable table;
        table.headers = {"Token", "Text", "Value, nats"};
        table.rows = 2;
        table.row = [](qsizetype row) {
            return row == 0 ? QVariantList{qint64(0), QString("say \"hi\", please"), 0.1f}
                            : QVariantList{qint64(1), QString("\n"), std::numeric_limits<double>::quiet_NaN()};
        };
        QBuffer buffer;
        buffer.open(QIODevice::WriteOnly);
        QVERIFY(writeCsv(table, buffer));
        QCOMPARE(buffer.data(), QByteArray("Token,Text,\"Value, nats\"\r\n0,\"say \"\"hi\"\", please\",0.100000001\r\n1,\"\n\",\r\n"));
    }
};

QTEST_GUILESS_MAIN(PlotMath)
#include "tst_plotmath.moc"
