// Small training runs for tests: a made-up language, a model of some ten thousand weights, seconds a run.
#pragma once

#include "uptrain/uptrain.h"

#include <QDir>
#include <QFile>
#include <QTemporaryDir>
#include <random>

namespace lens::test {

inline bool writeText(const QString &file, const QByteArray &text)
{
    QFile out(file);
    return out.open(QIODevice::WriteOnly) && out.write(text) == text.size();
}

/// Sentences of a small grammar in which later words depend on earlier ones.
inline QByteArray madeUpStories(int documents, unsigned seed = 1)
{
    static const char *const names[] = {"Tom", "Lily", "Ben", "Sue", "Max"};
    static const char *const things[] = {"ball", "cat", "tree", "box", "cake", "dog"};
    static const char *const verbs[] = {"saw", "liked", "found", "lost"};
    std::mt19937 random(seed);
    QByteArray text;
    for (int i = 0; i < documents; ++i) {
        const char *name = names[random() % 5];
        const char *thing = things[random() % 6];
        text += QByteArray("One day ") + name + " " + verbs[random() % 4] + " a " + thing + ". " + name + " was happy with the " + thing
                + ". The " + thing + " was big. " + name + " said, I like my " + thing + ".\n<|endoftext|>\n";
    }
    return text;
}

/// A folder with data and a recipe to train a tiny softmax model on it.
class SmallRuns {
public:
    SmallRuns()
    {
        writeText(path("stories.txt"), madeUpStories(600));
        writeText(path("config.json"), R"({"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2,
                                          "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 64,
                                          "tie_word_embeddings": true})");
    }

    QString path(const QString &name) const { return m_folder.filePath(name); }
    std::string file(const QString &name) const { return path(name).toStdString(); }

    Recipe scratch(const QString &out, std::int64_t steps) const
    {
        Recipe recipe = common(out);
        recipe.scratch = file("config.json");
        recipe.tokenizer = SUPRALENS_TEST_DATA "/tokenizers/llama2c_tok512/tok512.bin";
        recipe.stages = {{Objective::CrossEntropy, Trainable::All, steps, 1e-2, 1e-3, 2, 0, 1, 1}};
        return recipe;
    }

    Recipe uptrain(const QString &out, const std::string &model, TrainingStage stage) const
    {
        Recipe recipe = common(out);
        recipe.model = model;
        recipe.stages = {stage};
        return recipe;
    }

private:
    Recipe common(const QString &out) const
    {
        Recipe recipe;
        recipe.data.files = {file("stories.txt")};
        recipe.data.cacheFolder = file("cache");
        recipe.data.heldOut = 0.1;
        recipe.sequenceLength = 48;
        recipe.batch = 4;
        recipe.evaluateEvery = 0;
        recipe.evaluationTokens = 1024;
        recipe.checkpointEvery = 5;
        recipe.seed = 7;
        recipe.out = file(out);
        return recipe;
    }

    QTemporaryDir m_folder;
};

} // namespace lens::test
