// Behaviour of the lenses: linked selection, asking for what is shown, live updates, what cannot be compared.
#include "samples.h"

#include "bridge/selection.h"
#include "lens/attentiondock.h"
#include "lens/attentionsource.h"
#include "lens/decaydock.h"
#include "lens/decaymath.h"
#include "lens/decaytable.h"
#include "lens/klstrip.h"
#include "lens/rowlayout.h"
#include "lens/headmap.h"
#include "lens/headhistory.h"
#include "plot/barstrip.h"
#include "plot/linechart.h"

#include <QComboBox>
#include <QLabel>
#include <QSignalSpy>
#include <QTableView>
#include <QTest>
#include <QToolButton>

#include <memory>

using namespace lens;

namespace {

bool says(const QWidget &widget, const QString &text)
{
    for (const QLabel *label : widget.findChildren<QLabel *>())
        if (label->text().contains(text))
            return true;
    return false;
}

QToolButton *button(const QWidget &widget, const QString &text)
{
    for (QToolButton *candidate : widget.findChildren<QToolButton *>())
        if (candidate->text() == text)
            return candidate;
    return nullptr;
}

} // namespace

class Lens : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void selectionSpeaksOncePerChange()
    {
        Selection selection;
        QSignalSpy token(&selection, &Selection::tokenChanged), all(&selection, &Selection::changed);
        selection.setToken(4);
        selection.setToken(4);
        selection.setLayerHead(2, 3);
        selection.setHead(3);
        QCOMPARE(token.count(), 1);
        QCOMPARE(all.count(), 2);
        selection.clearToken();
        QCOMPARE(selection.token(), Selection::None);
    }

    void rowsStackHeadsWithinLayers()
    {
        const RowLayout all{30, 9, -1}, one{30, 9, 4};
        QCOMPARE(all.rows(), 270);
        QCOMPARE(all.rowOf(3, 5), 32);
        QCOMPARE(all.layerOf(32), 3);
        QCOMPARE(all.headOf(32), 5);
        QCOMPARE(one.rows(), 9);
        QCOMPARE(one.rowOf(4, 8), 8);
        QCOMPARE(one.rowOf(3, 8), -1);
        QCOMPARE(all.rowOf(30, 0), -1);
        QCOMPARE(all.ticks(-0.5, 269.5, 8).front().position, 4.0);
        QCOMPARE(all.ticks(26.5, 30.5, 8).front().label, QString("3·0"));
    }

    void historyReplacesWhatIsGeneratedAgain()
    {
        HeadHistory history;
        history.append(samples::norms(0, 10, 2, 3));
        HeadFrame again{4, 1, 2, 3, {1, 2, 3, 4, 5, 600}};
        history.append(again);
        QCOMPARE(history.tokens(), 5);
        QCOMPARE(history.value(4, 1, 2), 600.0f);
        QCOMPARE(history.range({2, 3, -1}, false).upper, 600.0);
        QVERIFY(history.range({2, 3, 0}, false).upper < 600);
        again.firstToken = 8;
        history.append(again);
        QCOMPARE(history.tokens(), 9);
        QVERIFY(std::isnan(history.value(6, 0, 0)));
        again.values.pop_back();
        history.append(again);
        QCOMPARE(history.tokens(), 9);
    }

    void decayArithmetic()
    {
        QCOMPARE(halfLife(0.5), 1.0);
        QVERIFY(std::abs(horizon(std::exp(-1.0 / 64)) - 64) < 1e-9);
        QVERIFY(std::isinf(halfLife(1)));
        QCOMPARE(retention(1, 1e6), 1.0);
        QVERIFY(std::abs(retention(0.9845, 44.4) - 0.5) < 0.002);
        QCOMPARE(chartReach({1.0, 1.0}, 0), 20.0);
        QCOMPARE(chartReach({0.1}, 8), 8.0);
        QCOMPARE(chartReach({0.999}, 512), 512.0);
        QCOMPARE(chartDistances(100, true).front(), 1.0);
        QVERIFY(std::abs(chartDistances(100, true).back() - 100) < 1e-9);
    }

    void causalPartOnly()
    {
        const Matrix a{2, 2, {1, 9, 0.25f, 0.75f}}, b{2, 2, {0.5f, -9, 0.5f, 0.5f}};
        QCOMPARE(causalRange(a, false).upper, 1.0);
        QCOMPARE(causalRange(a, true).lower, 0.25);
        QCOMPARE(difference(a, b).values.front(), -0.5f);
        QVERIFY(difference(a, {1, 1, {0}}).empty());
        QCOMPARE(causalQuantile({&a, &b}, 1), 1.0);
        QVERIFY(std::isnan(MatrixSource(a, {}, "weight").value(0, 1)));
    }

    void magnitudesOfSignedWeights()
    {
        const Matrix implied{2, 2, {-0.75f, 9, 0.25f, -0.5f}};
        const MatrixSource source(implied, {}, "weight", CellColour::Magnitude);
        QCOMPARE(source.value(0, 0), 0.75f);
        QVERIFY(std::isnan(source.value(0, 1)));
        QCOMPARE(source.range(false).lower, 0.0);
        QCOMPARE(source.range(false).upper, 0.75);
        QCOMPARE(source.fields(0, 0).last().toFloat(), -0.75f);
        QVERIFY(source.readOut(0, 0).contains(formatValue(-0.75)));
    }

    void stateNormsFollowAndLeadTheSelection()
    {
        Selection selection;
        HeadMap dock(&selection, HeadQuantity::StateNorm);
        dock.setColumns({"a", "b"});
        dock.setModel(0, samples::model("a", "softmax", 4, 3));
        QCOMPARE(dock.shownColumn(), 0);
        QVERIFY(says(dock, "KV cache"));
        dock.setModel(1, samples::model("b", "supra", 4, 3));
        QCOMPARE(dock.shownColumn(), 1);
        for (int token = 0; token < 20; ++token)
            dock.append(1, samples::norms(token, 1, 4, 3));
        dock.resize(500, 230);
        dock.show();
        QVERIFY(QTest::qWaitForWindowExposed(&dock));
        auto *plot = dock.findChild<HeatMapPlot *>();
        QVERIFY(!plot->isEmpty());
        QCOMPARE(plot->table().rows, 20 * 12);
        Q_EMIT plot->cellChosen(7, 11);
        QCOMPARE(selection.layer(), 2);
        QCOMPARE(selection.head(), 1);
        QCOMPARE(selection.token(), 11);
        selection.setColumn(0);  // softmax: the state stays in view
        QCOMPARE(dock.shownColumn(), 1);
        plot->setFocus();
        QTest::keyClick(plot, Qt::Key_Right);
        QCOMPARE(selection.token(), 12);
        QTest::keyClick(plot, Qt::Key_Up);
        QCOMPARE(selection.head(), 0);
        dock.clear(1);
        QVERIFY(plot->isEmpty());
    }

    void clickChoosesTheCellUnderTheMouse()
    {
        Selection selection;
        HeadMap dock(&selection, HeadQuantity::StateNorm);
        dock.setColumns({"a"});
        dock.setModel(0, samples::model("a", "supra", 1, 2));
        dock.append(0, samples::norms(0, 40, 1, 2));
        dock.resize(500, 230);
        dock.show();
        QVERIFY(QTest::qWaitForWindowExposed(&dock));
        QTest::qWait(100);
        auto *canvas = dock.findChild<QWidget *>({}, Qt::FindChildrenRecursively);
        for (QWidget *child : dock.findChildren<QWidget *>())
            if (QLatin1String(child->metaObject()->className()) == QLatin1String("QCustomPlot"))
                canvas = child;
        QTest::mouseClick(canvas, Qt::LeftButton, {}, {canvas->width() / 2, canvas->height() / 2 + 20});
        QCOMPARE(selection.head(), 1);
        QVERIFY(selection.token() > 12 && selection.token() < 26);
    }

    void decayTableSortsByNumberAndSelects()
    {
        Selection selection;
        DecayDock dock(&selection);
        dock.setColumns({"a", "b"});
        dock.setModel(0, samples::model("a", "softmax", 4, 12));
        dock.setModel(1, samples::model("b", "supra", 4, 12));
        dock.setSummary(0, samples::summary(4, 12, true));
        dock.setSummary(1, samples::summary(4, 12, false));
        QCOMPARE(dock.shownColumn(), 1);
        auto *table = dock.findChild<QTableView *>();
        QCOMPARE(table->model()->rowCount(), 12);
        table->sortByColumn(DecayTable::HalfLife, Qt::DescendingOrder);
        QCOMPARE(table->model()->index(0, DecayTable::HalfLife).data().toString(), QString("∞"));
        QVERIFY(table->model()->index(0, DecayTable::SoftmaxDistance).data().toString() != QString("–"));
        table->selectRow(0);
        QCOMPARE(selection.head(), 11);
        QVERIFY(says(dock, "no decay (∞)"));
        Q_EMIT dock.findChild<LineChart *>()->curveChosen(2);
        QCOMPARE(selection.head(), 2);
        dock.showColumn(0);
        QVERIFY(dock.findChild<LineChart *>()->isEmpty());
    }

    void attentionAsksForWhatIsChosen()
    {
        Selection selection;
        AttentionDock dock(&selection);
        QSignalSpy measure(&dock, &AttentionDock::measureRequested), cancel(&dock, &AttentionDock::cancelRequested);
        QSignalSpy head(&dock, &AttentionDock::headRequested), errors(&dock, &AttentionDock::errorsRequested);
        dock.setColumns({"a", "b"});
        dock.setModel(0, samples::model("a", "softmax", 4, 3));
        dock.setModel(1, samples::model("b", "supra", 4, 3));
        selection.setLayerHead(1, 1);
        QCOMPARE(head.count(), 0);  // nothing measured yet
        button(dock, "Measure")->click();
        QCOMPARE(measure.count(), 1);
        dock.setMeasuring(true);
        button(dock, "Cancel")->click();
        QCOMPARE(cancel.count(), 1);
        dock.setMeasured(samples::tokens(12));
        QCOMPARE(head.count(), 1);
        QCOMPARE(errors.count(), 1);
        dock.setErrors(samples::errors(4, 3));
        dock.setHead(AttentionDock::First, samples::attention(1, 1, 12, true));
        dock.setHead(AttentionDock::Second, samples::attention(1, 1, 12, false));
        const QList<HeatMapPlot *> plots = dock.findChildren<HeatMapPlot *>();
        QCOMPARE(plots.size(), 4);
        for (const HeatMapPlot *plot : plots)
            QVERIFY(!plot->isEmpty());
        Q_EMIT plots.last()->cellChosen(2, 3);
        QCOMPARE(selection.layer(), 3);
        QCOMPARE(selection.head(), 2);
        QCOMPARE(head.count(), 2);
        dock.setHead(AttentionDock::First, samples::attention(1, 1, 12, true));  // an answer that comes too late
        QVERIFY(plots.first()->isEmpty());
    }

    void attentionSaysWhyThereIsNoDifference()
    {
        Selection selection;
        AttentionDock dock(&selection);
        dock.setColumns({"a", "b"});
        ModelInfo other = samples::model("b", "supra", 5, 8);
        dock.setModel(0, samples::model("a", "softmax", 4, 3));
        dock.setModel(1, other);
        QVERIFY(says(dock, "4 × 3 heads against 5 × 8"));
        other = samples::model("b", "supra", 4, 3);
        other.tokenizer = "llama";
        dock.setModel(1, other);
        QVERIFY(says(dock, "different tokens"));
        dock.setModel(1, samples::model("a", "softmax", 4, 3));
        QVERIFY(says(dock, "same model"));
    }

    void klStripMarksTokens()
    {
        Selection selection;
        KlStrip strip(&selection);
        strip.setColumns({"a", "b"}, 1);
        strip.setComparison(samples::comparison(30), samples::tokens(30));
        strip.setFirstDifference(15, " see", " play");
        QVERIFY(says(strip, "first difference at token 15 (“see” / “play”)"));
        auto *bars = strip.findChild<BarStrip *>();
        QCOMPARE(bars->table().rows, 29);
        QCOMPARE(bars->table().row(0).first().toLongLong(), 1);
        Q_EMIT bars->barChosen(9);
        QCOMPARE(selection.token(), 9);
        QSignalSpy chosen(&strip, &KlStrip::otherChosen);
        strip.setColumns({"a", "b", "c"}, 1);
        auto *choice = strip.findChild<QComboBox *>();
        QCOMPARE(choice->count(), 2);
        Q_EMIT choice->activated(1);
        QCOMPARE(chosen.first().first().toInt(), 2);
        strip.setColumns({"a", "b", "c"}, 2);
        QVERIFY(says(strip, "(a ‖ c)"));
        strip.setNotice("different tokenizers");
        QVERIFY(bars->isEmpty());
        QVERIFY(says(strip, "different tokenizers"));
    }
};

QTEST_MAIN(Lens)
#include "tst_lens.moc"
