// The models that come along: they can be read, they predict their kind of text, and together they stay small.
#include "convert/adapter.h"
#include "engine/engine.h"
#include "fixtures.h"
#include "model/languagemodel.h"
#include "text/chattemplate.h"

#include <c10/core/GradMode.h>
#include <cmath>
#include <filesystem>

using namespace lens;
using fixtures::load;

namespace {

namespace fs = std::filesystem;

const fs::path models = fs::path(SUPRALENS_SOURCE_DIR) / "resources" / "models";
const fs::path adapter = models / "supra-smollm2" / "adapter.safetensors";

constexpr const char *story = "Once upon a time, there was a little girl named Lily. She loved to play outside in the park with her "
                              "friends. One day, she saw a big red ball. She wanted to play with it, but it was too high.";
constexpr const char *question = "Why is the sky blue?";
constexpr const char *answer = "The sky appears blue because of a phenomenon called Rayleigh scattering. When sunlight enters the "
                               "Earth's atmosphere, it encounters tiny molecules of gases such as nitrogen and oxygen.";

/// Mean nats of every token after the first `given`.
double meanNll(const LoadedModel &model, const std::vector<TokenId> &ids, std::size_t given = 1)
{
    const c10::NoGradGuard noGrad;
    const at::Tensor tokens = at::tensor(std::vector<std::int64_t>(ids.begin(), ids.end()), at::kLong);
    const auto length = tokens.size(0), first = static_cast<std::int64_t>(given);
    ModelState state = model.model()->initialState(1);
    const at::Tensor logs = at::log_softmax(model.model()->forward(tokens.unsqueeze(0), state, {})[0], -1);
    const at::Tensor next = tokens.narrow(0, first, length - first).unsqueeze(1);
    return -logs.narrow(0, first - 1, length - first).gather(1, next).mean().item<double>();
}

double storyNll(const std::string &specification)
{
    const LoadedModelPtr model = load(specification);
    return meanNll(*model, *model->tokenizer()->encode(story));
}

std::uintmax_t bytesOf(const std::string &prefix)
{
    std::uintmax_t sum = 0;
    for (const auto &entry : fs::recursive_directory_iterator(models))
        if (entry.is_regular_file() && fs::relative(entry.path(), models).string().starts_with(prefix))
            sum += entry.file_size();
    return sum;
}

} // namespace

class TestShippedModels : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void staySmall();
    void storiesAreWellPredicted_data();
    void storiesAreWellPredicted();
    void weightsAreRoundedOnRequest_data();
    void weightsAreRoundedOnRequest();
    void singleTokensGoEitherWay_data() { storiesAreWellPredicted_data(); }
    void singleTokensGoEitherWay();
    void adapterIsWhole();
    void adapterWinsBackWhatConversionLost();
};

void TestShippedModels::staySmall()
{
    QVERIFY(bytesOf("stories-") <= 16'000'000);
    QVERIFY(bytesOf("supra-smollm2") <= 16'000'000);
}

void TestShippedModels::storiesAreWellPredicted_data()
{
    QTest::addColumn<double>("most");
    QTest::newRow("stories-softmax") << 1.3;
    QTest::newRow("stories-supra") << 1.4;
    QTest::newRow("stories-supra-nodecay") << 1.6;
    QTest::newRow("stories-t2r") << 1.6;
}

void TestShippedModels::storiesAreWellPredicted()
{
    QFETCH(double, most);
    const double nll = storyNll((models / QTest::currentDataTag()).string());
    QVERIFY2(nll < most, qPrintable(QString::number(nll)));
    QVERIFY(storyNll((models / "stories-softmax").string() + "@supra") > 2 * most);
}

void TestShippedModels::weightsAreRoundedOnRequest_data()
{
    QTest::addColumn<double>("bytes");  // of a matrix's number, scales included
    QTest::addColumn<double>("error");  // of the weights
    QTest::addColumn<double>("harm");   // nats a token
    QTest::newRow("int8") << 34 / 32.0 << 0.01 << 0.01;
    QTest::newRow("int4") << 20 / 32.0 << 0.12 << 0.3;
}

void TestShippedModels::weightsAreRoundedOnRequest()
{
    QFETCH(double, bytes);
    QFETCH(double, error);
    QFETCH(double, harm);
    LoadOptions options = fixtures::onCpu();
    options.dtype = QTest::currentDataTag();
    const std::string specification = (models / "stories-softmax").string();
    const auto rounded = loadModel(specification, options);
    QVERIFY2(rounded.has_value(), rounded ? "" : toString(rounded.error()).c_str());
    const ModelInfo &info = (*rounded)->info();
    QCOMPARE(info.dtype, options.dtype);
    QVERIFY(info.quantisationError > 0 && info.quantisationError < error);
    QVERIFY(double(info.weightBytes) < 1.05 * bytes * double(info.parameters));
    const double exact = storyNll(specification), now = meanNll(**rounded, *(*rounded)->tokenizer()->encode(story));
    QVERIFY2(std::abs(now - exact) < harm, qPrintable(QString::number(now - exact)));

    options.device = "meta";
    QVERIFY(loadModel(specification, options).error().code == ErrorCode::Unsupported);
}

/// The fused path for single tokens and the one that prompts take write the same story.
void TestShippedModels::singleTokensGoEitherWay()
{
    const LoadedModelPtr model = load((models / QTest::currentDataTag()).string());
    const std::vector<TokenId> prompt = *model->tokenizer()->encode(story);
    const auto written = [&](bool plainPath) {
        const auto session = DecodeSession::create(model).value();
        GenerationOptions options;
        options.maxTokens = 100;
        options.plainPath = plainPath;
        options.sampling.temperature = 0;
        options.ignoreEndOfText = true;
        return session->generate(prompt, options, {}, {}).value().ids;
    };
    QCOMPARE(written(true), written(false));
}

void TestShippedModels::adapterIsWhole()
{
    const auto read = readAdapter(adapter);
    QVERIFY2(read.has_value(), read ? "" : toString(read.error()).c_str());
    QCOMPARE(read->config.layers.size(), std::size_t(30));
    for (const MixerConfig &mixer : read->config.layers)
        QVERIFY(mixer.isLinear());
    QVERIFY(!read->config.untrained);
}

void TestShippedModels::adapterWinsBackWhatConversionLost()
{
    const std::string base = fixtures::smolLm2();
    if (base.empty())
        QSKIP("SmolLM2-135M-Instruct is not installed; ./run --get smollm2 fetches it");
    const LoadedModelPtr teacher = load(base);
    const std::vector<ChatMessage> asked{{Role::User, question}};
    std::vector<TokenId> ids = *encodeConversation(*teacher, asked);
    const std::size_t given = ids.size();
    const std::vector<TokenId> answered = teacher->tokenizer()->encode(answer).value();
    ids.insert(ids.end(), answered.begin(), answered.end());
    const double softmax = meanNll(*teacher, ids, given);
    const double trained = meanNll(*load(base + "@adapter=" + adapter.string()), ids, given);
    const double converted = meanNll(*load(base + "@supra:relu-per-head"), ids, given);
    qInfo("nats a token: %.3f softmax, %.3f with the adapter, %.3f converted only", softmax, trained, converted);
    QVERIFY(trained - softmax < 0.15 * (converted - softmax));
}

QTEST_APPLESS_MAIN(TestShippedModels)
#include "tst_shippedmodels.moc"
