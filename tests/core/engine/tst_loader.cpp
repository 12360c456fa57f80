#include "engine/engine.h"
#include "engine/memory.h"
#include "engine/specification.h"
#include "engine/vocabularyfile.h"
#include "fixtures.h"

#include <QTemporaryDir>

#include <fstream>

using namespace lens;

namespace {

std::string fixture(const std::string &name)
{
    return fixtures::data("models/" + name);
}

void touch(const std::filesystem::path &file)
{
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file) << "x";
}

} // namespace

class TestLoader : public QObject
{
    Q_OBJECT

private Q_SLOTS:
    void namesAreResolved();
    void foldersComeFromTheEnvironment();
    void specificationsAreSplit();
    void inspectingReadsHeadersOnly();
    void loadingFillsTheFacts();
    void missingThingsAreTypedErrors();
    void cancelledLoadingSaysSo();
    void memoryIsEstimated();
    void vocabulariesSurviveTheirFile();
    void conversationsAreEncoded();
};

void TestLoader::namesAreResolved()
{
    QTemporaryDir dir;
    const std::filesystem::path root = dir.path().toStdString();
    touch(root / "one" / "SmolLM2-135M-Instruct" / "model.gguf");
    touch(root / "one" / "stories260K.bin");
    touch(root / "one" / "notes.txt");
    touch(root / "one" / "empty" / "readme.md");
    touch(root / "two" / "stories260K.bin");
    touch(root / "two" / "stories15M.gguf");
    const std::vector<std::string> folders = {(root / "one").string(), (root / "two").string(), (root / "none").string()};

    QCOMPARE(*resolveModel("smollm2", folders), (root / "one" / "SmolLM2-135M-Instruct").string());
    QCOMPARE(*resolveModel("STORIES260k", folders), (root / "one" / "stories260K.bin").string());
    QCOMPARE(*resolveModel("stories260K.bin", folders), (root / "one" / "stories260K.bin").string());
    QCOMPARE(*resolveModel(folders[0], folders), folders[0]);
    QVERIFY(resolveModel("stories", folders).error().code == ErrorCode::InvalidArgument);
    QVERIFY(resolveModel("empty", folders).error().code == ErrorCode::NotFound);
    QVERIFY(resolveModel("notes", folders).error().code == ErrorCode::NotFound);
    QVERIFY(resolveModel("", folders).error().code == ErrorCode::NotFound);
    QVERIFY(resolveModel("one/smollm2", folders).error().code == ErrorCode::NotFound);
    QCOMPARE(listModels(folders).size(), std::size_t(3));
}

void TestLoader::foldersComeFromTheEnvironment()
{
    QTemporaryDir dir;
    const std::string data = dir.path().toStdString();
    std::filesystem::create_directories(data + "/supralens/models");
    const QByteArray oldModels = qgetenv("SUPRALENS_MODELS"), oldData = qgetenv("XDG_DATA_HOME");
    qputenv("SUPRALENS_MODELS", (data + ":/does/not/exist").c_str());
    qputenv("XDG_DATA_HOME", data.c_str());
    const auto folders = standardModelFolders();
    oldModels.isNull() ? qunsetenv("SUPRALENS_MODELS") : qputenv("SUPRALENS_MODELS", oldModels);
    oldData.isNull() ? qunsetenv("XDG_DATA_HOME") : qputenv("XDG_DATA_HOME", oldData);
    QVERIFY(folders.size() >= 2);
    QCOMPARE(folders[0], data);
    QCOMPARE(folders[1], data + "/supralens/models");
}

void TestLoader::specificationsAreSplit()
{
    QTemporaryDir dir;
    const std::string odd = dir.filePath("odd@supra").toStdString();
    touch(odd);
    QVERIFY(!parseSpecification(odd)->conversion);
    const auto converted = parseSpecification(odd + "@supra:retnet:seed=3");
    QVERIFY(converted);
    QCOMPARE(converted->model, odd);
    QVERIFY(converted->conversion);
    QCOMPARE(converted->conversion->seed, 3u);
    QVERIFY(!parseSpecification("plain")->conversion);
    QVERIFY(!parseSpecification("model@nothing-known"));
}

void TestLoader::inspectingReadsHeadersOnly()
{
    const auto info = inspectModel(fixture("hf_llama_gqa"));
    QVERIFY2(info, info ? "" : toString(info.error()).c_str());
    QCOMPARE(info->name, std::string("hf_llama_gqa"));
    QCOMPARE(info->format, std::string("Hugging Face"));
    QCOMPARE(info->mixer, std::string("softmax"));
    QVERIFY(info->fingerprint.empty() && info->device.empty() && info->dtype.empty());
    QVERIFY(info->layerCount > 0 && info->heads > 0 && info->vocabulary > 0 && info->parameters > 0);
    QVERIFY(info->fileBytes > 0 && info->kvBytesPerToken > 0);
    QVERIFY(info->storage.starts_with("F32 ("));

    const auto gguf = inspectModel(fixture("gguf_q4_k") + "/model.gguf");
    QVERIFY2(gguf, gguf ? "" : toString(gguf.error()).c_str());
    QCOMPARE(gguf->name, std::string("gguf_q4_k"));
    QCOMPARE(gguf->format, std::string("GGUF"));
    QVERIFY(gguf->storage.find("Q4_K") != std::string::npos);
    QVERIFY(!gguf->tokenizer.empty());
}

void TestLoader::loadingFillsTheFacts()
{
    LoadOptions options;
    options.device = "cpu";
    std::vector<std::string> stages;
    const auto model = loadModel(fixture("supra_gqa_h8_kv2"), options, {}, [&](const Progress &progress) {
        if (stages.empty() || stages.back() != progress.stage)
            stages.push_back(progress.stage);
    });
    QVERIFY2(model, model ? "" : toString(model.error()).c_str());
    const ModelInfo &info = (*model)->info();
    QCOMPARE(info.fingerprint.size(), std::size_t(32));
    QCOMPARE(info.device, std::string("cpu"));
    QCOMPARE(info.dtype, std::string("float32"));
    QCOMPARE(info.format, std::string("open_lm"));
    QCOMPARE(info.mixer, std::string("supra"));
    QVERIFY(info.isRecurrent());
    QVERIFY(info.stateBytes > 0);
    QVERIFY(info.weightBytes > 0);
    QVERIFY(!stages.empty());

    options.dtype = "bfloat16";
    const auto half = loadModel(fixture("supra_gqa_h8_kv2"), options);
    QVERIFY(half);
    QCOMPARE((*half)->info().dtype, std::string("bfloat16"));
    QCOMPARE((*half)->info().fingerprint, info.fingerprint);
}

void TestLoader::missingThingsAreTypedErrors()
{
    LoadOptions options;
    options.device = "cpu";
    options.modelFolders = {"/nowhere"};
    QVERIFY(loadModel("no-such-model", options).error().code == ErrorCode::NotFound);
    QVERIFY(loadModel("/no/such/path", options).error().code == ErrorCode::NotFound);
    options.pluginFolders = {"/nowhere"};
    QVERIFY(loadModel(fixture("mamba_native"), options).error().code == ErrorCode::Unsupported);
    options.dtype = "float7";
    QVERIFY(loadModel(fixture("hf_llama_gqa"), options).error().code == ErrorCode::InvalidArgument);
    options.dtype = "auto";
    options.device = "cuda:77";
    QVERIFY(loadModel(fixture("hf_llama_gqa"), options).error().code == ErrorCode::Device);
    options.device = "toaster";
    QVERIFY(loadModel(fixture("hf_llama_gqa"), options).error().code == ErrorCode::InvalidArgument);
}

void TestLoader::cancelledLoadingSaysSo()
{
    std::stop_source stop;
    stop.request_stop();
    LoadOptions options;
    options.device = "cpu";
    for (const char *name : {"hf_llama_gqa", "gguf_q4_0", "supra_gqa_h8_kv2"})
        QVERIFY(loadModel(fixture(name), options, stop.get_token()).error().code == ErrorCode::Cancelled);
}

void TestLoader::memoryIsEstimated()
{
    const auto info = inspectModel(fixture("hf_llama_gqa"));
    LoadOptions options;
    options.device = "cpu";
    const auto wide = estimateMemory(*info, options);
    QVERIFY(wide);
    QCOMPARE(wide->weights, info->parameters * 4);
    QCOMPARE(wide->stateAtContext, info->kvBytesPerToken * static_cast<std::uint64_t>(info->trainedContext));
    QVERIFY(wide->working > 0 && wide->available > 0);
    options.dtype = "bfloat16";
    const auto narrow = estimateMemory(*info, options);
    QCOMPARE(narrow->weights * 2, wide->weights);
    QCOMPARE(narrow->stateAtContext * 2, wide->stateAtContext);
    options.dtype = "nonsense";
    QVERIFY(!estimateMemory(*info, options));

    ModelInfo endless;
    QVERIFY(mostTokensInMemory(endless, 0) > 1'000'000'000);
    endless.kvBytesPerToken = 1 << 20;
    endless.device = "cpu";
    const std::int64_t most = mostTokensInMemory(endless, 10);
    QVERIFY(most > 10 && most < 10'000'000);
}

void TestLoader::vocabulariesSurviveTheirFile()
{
    QTemporaryDir dir;
    const std::string file = dir.filePath("vocabulary.json").toStdString();
    EmbeddedVocabulary vocabulary;
    vocabulary.tokens = {"<s>", "\u2581caf\u00e9", std::string("\xff\x00z", 3), "\"quoted\"\n"};
    vocabulary.scores = {0.0f, -1.25f, 3.1415926f, -1e30f};
    vocabulary.types = {3, 1, 6, 1};
    vocabulary.merges = {"a b", "c d"};
    vocabulary.preTokenizer = "smollm";
    vocabulary.bos = 0;
    vocabulary.addBos = false;
    vocabulary.chatTemplate = "{% for %}";
    QVERIFY(writeVocabulary(file, vocabulary));
    const auto read = readVocabulary(file);
    QVERIFY2(read, read ? "" : toString(read.error()).c_str());
    QCOMPARE(read->tokens, vocabulary.tokens);
    QCOMPARE(read->scores, vocabulary.scores);
    QCOMPARE(read->types, vocabulary.types);
    QCOMPARE(read->merges, vocabulary.merges);
    QCOMPARE(read->preTokenizer, vocabulary.preTokenizer);
    QVERIFY(read->bos == 0 && !read->eos && !read->addBos && read->addSpacePrefix);
    QCOMPARE(read->chatTemplate, vocabulary.chatTemplate);

    std::ofstream(file) << R"({"format":"supralens-vocabulary","kind":"sentencepiece","tokens":[1]})";
    QVERIFY(readVocabulary(file).error().code == ErrorCode::Malformed);
    std::ofstream(file) << R"({})";
    QVERIFY(readVocabulary(file).error().code == ErrorCode::Malformed);
}

void TestLoader::conversationsAreEncoded()
{
    LoadOptions options;
    options.device = "cpu";
    const auto model = loadModel(fixture("gguf_f16"), options);
    QVERIFY2(model, model ? "" : toString(model.error()).c_str());
    const std::vector<ChatMessage> messages = {{Role::User, "One "}, {Role::Assistant, "two"}};
    const auto ids = encodeConversation(**model, messages);
    QVERIFY(ids);
    QCOMPARE(*ids, *(*model)->tokenizer()->encode("One two"));
    const auto bare = loadModel(fixture("hf_llama_gqa"), options);
    QVERIFY(encodeConversation(**bare, messages).error().code == ErrorCode::Unsupported);
}

QTEST_GUILESS_MAIN(TestLoader)
#include "tst_loader.moc"
