// What the tests of the store share.
#pragma once

#include "store/workspace.h"

#include <QTemporaryDir>
#include <QtTest>
#include <memory>
#include <random>
#include <string>

namespace lens::test {

/// Fails the test with the error's text and leaves it.
#define VERIFY_OK(expression)                                                                                          \
    do {                                                                                                               \
        const auto &tested = (expression);                                                                             \
        QVERIFY2(tested, tested ? "" : toString(tested.error()).c_str());                                              \
    } while (false)

/// An error of that code, with words in it.
#define VERIFY_FAILS(expression, expected)                                                                             \
    do {                                                                                                               \
        const auto &tested = (expression);                                                                             \
        QVERIFY(!tested);                                                                                              \
        QCOMPARE(QString(name(tested.error().code)), QString(name(expected)));                                         \
        QVERIFY(!tested.error().what.empty());                                                                         \
    } while (false)

/// The value of a Result that cannot fail in this test; an exception otherwise, which Qt Test reports.
template <class T>
T must(Result<T> result)
{
    if (!result)
        throw std::runtime_error(toString(result.error()));
    if constexpr (!std::is_void_v<T>)
        return std::move(*result);
}

/// A workspace in a folder of its own.
class ScratchWorkspace {
public:
    ScratchWorkspace() { open(); }

    void open(const WorkspaceOptions &options = {})
    {
        m_workspace.reset();
        m_workspace = must(Workspace::open(path(), options));
    }
    void close() { m_workspace.reset(); }

    std::string path(const char *file = "test.db") const { return m_folder.filePath(file).toStdString(); }
    Workspace *operator->() const { return m_workspace.get(); }
    Workspace &operator*() const { return *m_workspace; }

private:
    QTemporaryDir m_folder;
    std::unique_ptr<Workspace> m_workspace;
};

inline ModelInfo someModel(const std::string &label = "tiny")
{
    ModelInfo info;
    info.name = label;
    info.path = "/models/" + label + ".gguf@supra";
    info.format = "GGUF";
    info.architecture = "llama";
    info.mixer = "hybrid";
    info.storage = "Q4_1 (210), F32 (61)";
    info.fingerprint = "00112233445566778899aabbccddeeff";
    info.licence = "Apache-2.0";
    info.origin = "converted from ffeeddcc, SUPRA";
    info.untrained = true;
    info.layerCount = 2;
    info.hiddenSize = 64;
    info.heads = 4;
    info.kvHeads = 2;
    info.vocabulary = 512;
    info.trainedContext = 2048;
    info.parameters = 134515008;
    info.kvBytesPerToken = 23040;
    info.device = "cpu";
    info.dtype = "float32";
    info.layers.resize(2);
    info.layers[0].mixer = "softmax";
    info.layers[0].slidingWindow = 16;
    info.layers[1].mixer = "supra";
    info.layers[1].gamma = {0.5, 1.0 / 3, 1, 1};
    return info;
}

inline GenerationOptions someOptions()
{
    GenerationOptions options;
    options.sampling = {0.7, 40, 0.95, 0.05, 1.1, 0.1, 0.2, 32, {{5, -100}, {7, 1.5}}, 0xfedcba9876543210u};
    options.maxTokens = 77;
    options.stopStrings = {"\n\n", "</s>"};
    options.alternatives = 3;
    options.ignoreEndOfText = true;
    return options;
}

inline StoredToken someToken(int index, int alternatives = 2)
{
    StoredToken token;
    token.id = index * 31 - 5;
    token.text = " word" + std::to_string(index) + (index % 3 == 0 ? "é€" : "");
    token.logprob = -0.01f * static_cast<float>(index);
    token.seconds = 0.125 * index;
    token.stateBytes = 1000u + 64u * static_cast<unsigned>(index % 5);
    for (int i = 0; i < alternatives; ++i)
        token.alternatives.push_back({index + i, "alt" + std::to_string(i), -1.5f * static_cast<float>(i)});
    return token;
}

inline std::vector<StoredToken> someTokens(int count)
{
    std::vector<StoredToken> tokens;
    for (int i = 0; i < count; ++i)
        tokens.push_back(someToken(i, i % 4));
    return tokens;
}

/// A session with two columns and one turn.
struct Scene {
    explicit Scene(Workspace &workspace, const std::string &title = "A session", const std::string &prompt = "Why?")
    {
        model = must(workspace.models().record(someModel()));
        ColumnRow column;
        column.model = model;
        column.options = someOptions();
        session = must(workspace.sessions().create(title, {column, column}));
        const auto columns = must(workspace.sessions().columns(session));
        left = columns[0].id;
        right = columns[1].id;
        TurnRow row;
        row.session = session;
        row.prompt = prompt;
        turn = must(workspace.sessions().addTurn(row));
    }

    GenerationStart start(RowId column) const
    {
        return {turn, column, model, someModel().fingerprint, "cpu", "float32", "0.1.0", someOptions(), {1, 2, 3}};
    }

    RowId model = 0, session = 0, left = 0, right = 0, turn = 0;
};

} // namespace lens::test
