// Softmax models turned linear in memory and written to disk: what is kept, what is new, and that both forms on disk come
// back as the same model.
#include "convert/convert.h"
#include "convert/export.h"
#include "model/architecture.h"
#include "model/decoder.h"
#include "support/tensorcheck.h"
#include "support/tolerances.h"

#include <c10/core/GradMode.h>

#include <QTemporaryDir>

using namespace lens;
using namespace lens::test;

namespace {

LanguageModelPtr load(const QString &path)
{
    const auto checkpoint = openCheckpoint(path.toStdString());
    const auto registry = ArchitectureRegistry::withBuiltins();
    const auto architecture = checkpoint ? registry.find(**checkpoint) : Result<const Architecture *>(propagate(checkpoint));
    const auto model = architecture ? (*architecture)->build(**checkpoint, {{}, ComputeType::Float32, {}, {}})
                                    : Result<LanguageModelPtr>(propagate(architecture));
    if (!model)
        qWarning("%s", toString(model.error()).c_str());
    return model.value_or(nullptr);
}

LanguageModelPtr fixture(const char *folder, const char *file = "")
{
    return load(QStringLiteral(SUPRALENS_TEST_DATA "/models/%1%2").arg(folder, file));
}

at::Tensor logits(const LanguageModel &model, std::int64_t tokens = 70)
{
    at::manual_seed(8);
    ModelState state = model.initialState(1);
    return model.forward(at::randint(0, 60, {1, tokens}, at::kLong), state, {});
}

const Decoder &decoder(const LanguageModelPtr &model)
{
    return dynamic_cast<const Decoder &>(*model);
}

} // namespace

class ConvertTest : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void initTestCase() { m_noGrad = std::make_unique<c10::NoGradGuard>(); }
    void cleanupTestCase() { m_noGrad.reset(); }
    void specificationsRoundTrip();
    void wrongSpecifications();
    void sharesWhatDoesNotChange();
    void initialisationFollowsTheMethod();
    void everyTargetRunsInEveryForm_data();
    void everyTargetRunsInEveryForm();
    void chosenLayersOnly();
    void mapsPerHead();
    void decaysOfOnesOwn();
    void refusesWhatIsLinearAlready();
    void nativeFolderComesBack();
    void openLmFolderComesBack_data();
    void openLmFolderComesBack();
    void openLmRefusesWhatItCannotSay();
    void cancels();

private:
    std::unique_ptr<c10::NoGradGuard> m_noGrad;
};

void ConvertTest::specificationsRoundTrip()
{
    for (const char *text : {"supra", "t2r:identity", "supra:retnet:identity:seed=3:layers=0,2", "linear:hedgehog", "supra:none",
                             "supra:relu-per-head:gammas=0.9,0.99,1,0.123456789012345"})
        QCOMPARE(toString(parseConversion(text).value()), std::string(text));
    QCOMPARE(parseConversion("supra:layers=0-2,8,1").value().layers, (std::vector<std::int64_t>{0, 1, 2, 8}));
}

void ConvertTest::wrongSpecifications()
{
    for (const char *text : {"", "softmax", "supra:", "supra:seed=", "supra:seed=-1", "supra:layers=", "supra:layers=1,", "supra:fast",
                             "supra:layers=3-1", "supra:layers=-1", "supra:layers=0-", "supra:layers=0-99999999999999",
                             "supra:gammas=", "supra:gammas=0", "supra:gammas=1.1", "supra:gammas=0.9,nan", "supra:gammas=0.9,"})
        QCOMPARE(parseConversion(text).error().code, ErrorCode::InvalidArgument);
}

void ConvertTest::sharesWhatDoesNotChange()
{
    const LanguageModelPtr source = fixture("hf_llama_gqa");
    QVERIFY(source);
    const auto converted = convert(*source, {});
    QVERIFY(converted);
    const NamedTensors &old = decoder(source).weights(), &now = decoder(*converted).weights();
    for (const auto &[name, tensor] : old)
        QVERIFY2(now.at(name).is_same(tensor), name.c_str());
    QCOMPARE(now.size(), old.size() + 2 * 4);  // two layers: a map for q and one for grouped k, weight and bias
    QVERIFY((*converted)->describe().untrained);
    QVERIFY((*converted)->describe().isRecurrent());
    QVERIFY(!source->describe().untrained);
}

void ConvertTest::initialisationFollowsTheMethod()
{
    const LanguageModelPtr source = fixture("hf_llama_gqa");
    QVERIFY(source);
    const std::string name = "layers.1.mixer.feature_map.weight";
    const at::Tensor first = decoder(convert(*source, {}).value()).weights().at(name);
    const at::Tensor again = decoder(convert(*source, {}).value()).weights().at(name);
    ConvertOptions options;
    options.seed = 1;
    const at::Tensor other = decoder(convert(*source, options).value()).weights().at(name);
    QVERIFY(at::equal(first, again) && !at::equal(first, other));
    const double bound = 1 / std::sqrt(double(first.size(1)));
    QVERIFY(largest(first) <= bound && largest(first) > 0.9 * bound);
    QVERIFY(std::abs(first.mean().item<double>()) < 0.05 * bound);
    options.init = FeatureInit::Identity;
    QVERIFY(at::equal(decoder(convert(*source, options).value()).weights().at(name), at::eye(first.size(0))));
}

void ConvertTest::everyTargetRunsInEveryForm_data()
{
    QTest::addColumn<QString>("specification");
    for (const char *text : {"supra", "supra:retnet", "supra:none:identity", "supra:hedgehog", "supra:elu1", "supra:relu-per-head", "t2r", "t2r:identity",
                             "t2r:lightning", "linear", "linear:relu", "linear:hedgehog", "linear:retnet"})
        QTest::newRow(text) << text;
}

void ConvertTest::everyTargetRunsInEveryForm()
{
    QFETCH(QString, specification);
    for (const auto &source : {fixture("hf_llama_gqa"), fixture("hf_llama_tied_linear_rope"), fixture("gguf_f16", "/model.gguf")}) {
        QVERIFY(source);
        const auto converted = convert(*source, parseConversion(specification.toStdString()).value());
        QVERIFY2(converted, converted ? "" : toString(converted.error()).c_str());
        const at::Tensor expected = logits(**converted);
        for (const auto form : {Execution::Form::Parallel, Execution::Form::Recurrent}) {
            at::manual_seed(8);
            ModelState state = (*converted)->initialState(1);
            const at::Tensor ids = at::randint(0, 60, {1, 70}, at::kLong);
            QVERIFY(errorOfRange((*converted)->forward(ids, state, {LogitsWanted::All, {form, 64}, nullptr}), expected)
                    < kLogitsOfRange);
        }
    }
}

void ConvertTest::chosenLayersOnly()
{
    const LanguageModelPtr source = fixture("hf_llama_gqa");
    QVERIFY(source);
    ConvertOptions options;
    options.layers = {1};
    const ModelInfo info = convert(*source, options).value()->describe();
    QCOMPARE(info.mixer, std::string("hybrid"));
    QCOMPARE(info.layers[0].mixer, std::string("softmax"));
    QCOMPARE(info.layers[1].mixer, std::string("supra"));
    options.layers = {2};
    QCOMPARE(convert(*source, options).error().code, ErrorCode::InvalidArgument);
}

void ConvertTest::mapsPerHead()
{
    const LanguageModelPtr source = fixture("hf_llama_gqa");
    QVERIFY(source);
    const auto converted = convert(*source, parseConversion("supra:relu-per-head").value());
    QVERIFY(converted);
    const MixerConfig &mixer = decoder(*converted).config().layers[1];
    QCOMPARE(mixer.kind, MixerKind::Supra);
    QVERIFY(!mixer.sharedFeatures);
    const NamedTensors &weights = decoder(*converted).weights();
    const std::int64_t d = mixer.inputDim;
    QCOMPARE(weights.at("layers.1.mixer.feature_map.weight").sizes().vec(), (std::vector<std::int64_t>{8, d, d}));
    QCOMPARE(weights.at("layers.1.mixer.feature_map_k.weight").sizes().vec(), (std::vector<std::int64_t>{2, d, d}));
    QCOMPARE(weights.at("layers.1.mixer.feature_map_k.bias").sizes().vec(), (std::vector<std::int64_t>{2, d}));
}

void ConvertTest::decaysOfOnesOwn()
{
    const LanguageModelPtr source = fixture("hf_llama_gqa");
    QVERIFY(source);
    const auto converted = convert(*source, parseConversion("supra:gammas=0.5,1,0.9,0.99,0.2,0.3,0.4,0.6").value());
    QVERIFY(converted);
    const std::vector<double> gamma = (*converted)->describe().layers[0].gamma;
    QCOMPARE(gamma.size(), std::size_t{8});
    QCOMPARE(gamma[0], 0.5);
    QCOMPARE(gamma[1], 1.0);
    QCOMPARE(gamma[3], 0.99);
    QCOMPARE(convert(*source, parseConversion("supra:gammas=0.5,1").value()).error().code, ErrorCode::InvalidArgument);
    ConvertOptions wrong;
    wrong.gammas.assign(8, 1.5);
    QCOMPARE(convert(*source, wrong).error().code, ErrorCode::InvalidArgument);
}

void ConvertTest::refusesWhatIsLinearAlready()
{
    const LanguageModelPtr source = fixture("supra_decay_h4");
    QVERIFY(source);
    QCOMPARE(convert(*source, {}).error().code, ErrorCode::Unsupported);
}

void ConvertTest::nativeFolderComesBack()
{
    QTemporaryDir folder;
    for (const char *specification : {"supra:retnet", "t2r", "linear:hedgehog:layers=0"}) {
        const auto converted = convert(*fixture("gguf_f16", "/model.gguf"), parseConversion(specification).value());
        QVERIFY(converted);
        QVERIFY(exportNative(**converted, folder.path().toStdString()));
        const LanguageModelPtr back = load(folder.path());
        QVERIFY(back);
        QVERIFY(at::equal(logits(*back), logits(**converted)));
        QVERIFY(back->describe().untrained);
    }
}

void ConvertTest::openLmFolderComesBack_data()
{
    QTest::addColumn<QString>("source");
    QTest::addColumn<QString>("specification");
    QTest::newRow("softmax, half-split rows") << "hf_llama_gqa" << "";
    QTest::newRow("softmax, neighbouring rows") << "gguf_f16/model.gguf" << "";
    QTest::newRow("half-split rows") << "hf_llama_gqa" << "supra";
    QTest::newRow("neighbouring rows") << "gguf_f16/model.gguf" << "supra:retnet";
    QTest::newRow("no decay") << "gguf_bf16/model.gguf" << "supra:none:identity";
}

void ConvertTest::openLmFolderComesBack()
{
    QFETCH(QString, source);
    QFETCH(QString, specification);
    LanguageModelPtr model = fixture(qPrintable(source));
    QVERIFY(model);
    if (!specification.isEmpty())
        model = convert(*model, parseConversion(specification.toStdString()).value()).value();
    QTemporaryDir folder;
    const auto written = exportOpenLm(*model, folder.path().toStdString());
    QVERIFY2(written, written ? "" : toString(written.error()).c_str());
    const LanguageModelPtr back = load(folder.path());
    QVERIFY(back);
    QCOMPARE(back->describe().architecture, std::string("open_lm"));
    QVERIFY(errorOfRange(logits(*back), logits(*model)) < kLogitsOfRange);
}

void ConvertTest::openLmRefusesWhatItCannotSay()
{
    QTemporaryDir folder;
    const LanguageModelPtr source = fixture("hf_llama_gqa");
    QVERIFY(source);
    for (const char *specification : {"t2r", "linear", "supra:layers=0", "supra:relu-per-head",
                                      "supra:gammas=0.5,1,0.9,0.99,0.2,0.3,0.4,0.6"}) {
        const auto converted = convert(*source, parseConversion(specification).value());
        QCOMPARE(exportOpenLm(**converted, folder.path().toStdString()).error().code, ErrorCode::Unsupported);
    }
    QCOMPARE(exportOpenLm(*fixture("hf_mistral_window"), folder.path().toStdString()).error().code, ErrorCode::Unsupported);
    QVERIFY(QDir(folder.path()).isEmpty());
}

void ConvertTest::cancels()
{
    std::stop_source stop;
    stop.request_stop();
    QCOMPARE(convert(*fixture("hf_llama_gqa"), {}, stop.get_token()).error().code, ErrorCode::Cancelled);
}

QTEST_GUILESS_MAIN(ConvertTest)
#include "tst_convert.moc"
