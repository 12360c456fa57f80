// Every lens with made-up data, in both palettes, written as pictures to be looked at; checked here for not being empty.
#include "samples.h"

#include "bridge/selection.h"
#include "lens/attentiondock.h"
#include "lens/decaydock.h"
#include "lens/klstrip.h"
#include "lens/headmap.h"
#include "plot/heatmapplot.h"

#include <QComboBox>
#include <QDir>
#include <QTest>
#include <QToolButton>

#include <functional>
#include <memory>
#include <set>

using namespace lens;

namespace {

constexpr int Layers = 30, Heads = 9, Tokens = 140;

using Maker = std::function<QWidget *(Selection *)>;

QStringList names()
{
    return {"smollm2", "smollm2@supra"};
}

template <class Dock>
Dock *withModels(Dock *dock)
{
    dock->setColumns(names());
    dock->setModel(0, samples::model("smollm2", "softmax", Layers, Heads));
    dock->setModel(1, samples::model("smollm2@supra", "supra", Layers, Heads));
    return dock;
}

QWidget *stateNorms(Selection *selection, bool oneLayer, bool softmaxOnly)
{
    auto *dock = withModels(new HeadMap(selection, HeadQuantity::StateNorm));
    dock->append(1, samples::norms(0, Tokens, Layers, Heads));
    dock->setTokenTexts(1, 0, samples::tokens(Tokens));
    if (softmaxOnly)
        dock->showColumn(0);
    if (oneLayer) {
        auto *layers = dock->findChildren<QComboBox *>().at(1);
        layers->setCurrentIndex(4);
        Q_EMIT layers->activated(4);
    }
    return dock;
}

QWidget *decay(Selection *selection, bool measured)
{
    auto *dock = withModels(new DecayDock(selection));
    if (measured) {
        dock->setSummary(0, samples::summary(Layers, Heads, true));
        dock->setSummary(1, samples::summary(Layers, Heads, false));
    }
    return dock;
}

/// A model whose decays depend on the input, or are fixed but differ inside a head.
QWidget *otherDecay(Selection *selection, bool varies, bool overTime)
{
    constexpr int layers = 6, heads = 8, channels = 64;
    auto *dock = new DecayDock(selection);
    ModelInfo info = samples::model(varies ? "mamba-130m" : "rwkv-5", varies ? "mamba" : "rwkv5", layers, heads);
    for (LayerInfo &layer : info.layers) {
        layer.decayVaries = varies;
        for (int channel = 0; !varies && channel < heads * channels; ++channel)
            layer.channelGamma.push_back(std::exp(-std::exp(-6.0 + 7.0 * double(channel) / double(heads * channels))));
    }
    dock->setColumns({QString::fromStdString(info.name)});
    dock->setModel(0, info);
    HeadFrame frame = samples::norms(0, Tokens, layers, heads);
    frame.quantity = HeadQuantity::Retention;
    for (float &value : frame.values)
        value = 1 - 1 / (1.5f + value);
    dock->overTime().append(0, frame);
    for (QToolButton *button : dock->findChildren<QToolButton *>())
        if (button->isCheckable() && button->text().contains("time"))
            button->setChecked(overTime);
    return dock;
}

QWidget *attention(Selection *selection, int tokens, bool comparable)
{
    auto *dock = withModels(new AttentionDock(selection));
    if (!comparable)
        dock->setModel(1, samples::model("stories260K", "supra", 5, 8));
    QObject::connect(dock, &AttentionDock::headRequested, dock, [dock, tokens](qint64 layer, qint64 head) {
        dock->setHead(AttentionDock::First, samples::attention(layer, head, tokens, true));
        dock->setHead(AttentionDock::Second, samples::attention(layer, head, tokens, false));
    });
    QObject::connect(dock, &AttentionDock::errorsRequested, dock,
                     [dock] { dock->setErrors(samples::errors(Layers, Heads)); });
    dock->setMeasured(samples::tokens(tokens));
    return dock;
}

QWidget *measuring(Selection *selection)
{
    auto *dock = withModels(new AttentionDock(selection));
    dock->setMeasuring(true);
    dock->setProgress({"smollm2", 40, 100});
    dock->setNotice("The text was cut to its first 256 tokens.");
    return dock;
}

QWidget *kl(Selection *selection)
{
    auto *strip = new KlStrip(selection);
    strip->setColumns({"smollm2", "smollm2@supra"}, 1);
    strip->setComparison(samples::comparison(60), samples::tokens(60));
    strip->setFirstDifference(15, " see", " play");
    selection->setToken(22);
    return strip;
}

} // namespace

class LensGallery : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void initTestCase()
    {
        QApplication::setStyle(QStyleFactory::create("Fusion"));
        m_folder = QDir(SUPRALENS_TEST_OUTPUT);
        QVERIFY(m_folder.mkpath("lens"));
        m_folder.cd("lens");
    }

    void picture_data()
    {
        QTest::addColumn<Maker>("make");
        QTest::addColumn<QSize>("size");
        const QSize usual(500, 230);
        const auto add = [](const char *name, QSize size, Maker make) { QTest::newRow(name) << make << size; };
        add("statenorms", usual, [](Selection *s) { return stateNorms(s, false, false); });
        add("statenorms-layer", usual, [](Selection *s) { return stateNorms(s, true, false); });
        add("statenorms-softmax", usual, [](Selection *s) { return stateNorms(s, false, true); });
        add("decay-varies", usual, [](Selection *s) { return otherDecay(s, true, false); });
        add("decay-channels", usual, [](Selection *s) { return otherDecay(s, false, false); });
        add("decay-channels-time", usual, [](Selection *s) { return otherDecay(s, false, true); });
        add("statenorms-none", usual, [](Selection *s) { return new HeadMap(s, HeadQuantity::StateNorm); });
        add("statenorms-log", usual, [](Selection *s) {
            QWidget *dock = stateNorms(s, false, false);
            for (QToolButton *button : dock->findChildren<QToolButton *>())
                button->setChecked(button->isCheckable());
            return dock;
        });
        add("statenorms-table", usual, [](Selection *s) {
            QWidget *dock = stateNorms(s, true, false);
            dock->findChild<HeatMapPlot *>()->setTableShown(true);
            return dock;
        });
        add("decay", usual, [](Selection *s) { return decay(s, true); });
        add("decay-wide", {800, 300}, [](Selection *s) { return decay(s, true); });
        add("decay-unmeasured", {400, 200}, [](Selection *s) { return decay(s, false); });
        add("decay-none", usual, [](Selection *s) { return new DecayDock(s); });
        add("attention", usual, [](Selection *s) { return attention(s, 48, true); });
        add("attention-tall", {500, 380}, [](Selection *s) { return attention(s, 48, true); });
        add("attention-wide", {960, 560}, [](Selection *s) { return attention(s, 12, true); });
        add("attention-apart", {500, 330}, [](Selection *s) { return attention(s, 30, false); });
        add("attention-measuring", {500, 330}, [](Selection *s) { return measuring(s); });
        add("attention-none", usual, [](Selection *s) { return new AttentionDock(s); });
        add("kl", {560, 110}, [](Selection *s) { return kl(s); });
        add("kl-none", {560, 110}, [](Selection *s) { return new KlStrip(s); });
    }

    void picture()
    {
        QFETCH(Maker, make);
        QFETCH(QSize, size);
        for (const bool dark : {false, true}) {
            QApplication::setPalette(samples::palette(dark));
            Selection selection;
            selection.setLayerHead(3, 5);
            selection.setToken(15);
            const std::unique_ptr<QWidget> widget(make(&selection));
            widget->resize(size);
            widget->show();
            QVERIFY(QTest::qWaitForWindowExposed(widget.get()));
            QTest::qWait(80);
            const QImage image = widget->grab().toImage();
            QCOMPARE(image.size(), size * widget->devicePixelRatio());
            QVERIFY(colours(image) > 10);
            const QString scale = widget->devicePixelRatio() > 1 ? "@2x" : "";
            QVERIFY(image.save(m_folder.filePath(QString("%1-%2%3.png").arg(QTest::currentDataTag(), dark ? "dark" : "light", scale))));
        }
    }

    void figures()
    {
        Selection selection;
        selection.setLayerHead(3, 5);
        for (const bool shown : {false, true}) {
            const std::unique_ptr<QWidget> norms(stateNorms(&selection, true, false));
            const std::unique_ptr<QWidget> matrices(attention(&selection, 40, true));
            const std::unique_ptr<QWidget> curves(decay(&selection, true));
            const std::unique_ptr<QWidget> bars(kl(&selection));
            for (QWidget *widget : {norms.get(), matrices.get(), curves.get(), bars.get()}) {
                if (shown)
                    widget->show();
                const auto plots = widget->findChildren<PlotView *>();
                auto *plot = *std::find_if(plots.begin(), plots.end(), [](const PlotView *one) { return !one->isEmpty(); });
                for (const QString suffix : {"png", "svg", "pdf", "csv"}) {
                    const QString name = QString("figure-%1-%2.%3").arg(widget->metaObject()->className()).arg(shown).arg(suffix);
                    const QString file = m_folder.filePath(QString(name).remove("lens::"));
                    const Result<void> saved = plot->save(file);
                    QVERIFY2(saved, saved ? "" : toString(saved.error()).c_str());
                    QVERIFY(QFileInfo(file).size() > 500);
                }
            }
        }
    }

private:
    QDir m_folder;

    static int colours(const QImage &image)
    {
        std::set<QRgb> seen;
        for (int y = 0; y < image.height(); y += 2)
            for (int x = 0; x < image.width(); x += 2)
                seen.insert(image.pixel(x, y));
        return int(seen.size());
    }
};

QTEST_MAIN(LensGallery)
#include "tst_lensgallery.moc"
