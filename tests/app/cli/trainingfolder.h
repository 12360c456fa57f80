// A folder with what a small training from the command line needs.
#pragma once

#include "cliprocess.h"

#include <QTemporaryDir>

namespace lens::test {

class TrainingFolder {
public:
    TrainingFolder()
    {
        QByteArray text;
        for (int i = 0; i < 400; ++i)
            text += "Once upon a time there was a " + QByteArray(i % 3 ? "cat" : "dog") + " who liked to play.\n<|endoftext|>\n";
        write("stories.txt", text);
        write("config.json", R"({"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4,
                                 "num_key_value_heads": 2, "max_position_embeddings": 64, "tie_word_embeddings": true})");
    }

    QString path() const { return m_folder.path(); }
    QString path(const QString &name) const { return m_folder.filePath(name); }

    void write(const QString &name, const QByteArray &content) const
    {
        QFile file(path(name));
        if (file.open(QIODevice::WriteOnly))
            file.write(content);
    }

    QStringList fromScratch() const
    {
        return {"--from-scratch", path("config.json"), "--tokenizer",
                QStringLiteral(SUPRALENS_TEST_DATA "/tokenizers/llama2c_tok512/tok512.bin")};
    }

    QStringList data() const
    {
        return {"--data", path("stories.txt"), "--cache", path("cache"), "--sequence-length", "48", "--evaluation-tokens", "512",
                "--held-out", "0.1"};
    }

private:
    QTemporaryDir m_folder;
};

} // namespace lens::test
