// A model small enough to be made anew in every test.
#pragma once

#include <QFile>
#include <QRandomGenerator>
#include <QTemporaryDir>

#include <vector>

namespace lens {

/// A llama2.c checkpoint with random weights, and the tokenizer of the tiny stories models beside it.
inline QString makeModel(const QTemporaryDir &folder)
{
    constexpr qint32 dim = 64, hidden = 128, layers = 2, heads = 4, vocabulary = 512, context = 256;
    constexpr qint64 floats =
        vocabulary * dim + layers * (2 * dim + 4 * dim * dim + 3 * dim * hidden) + dim + context * dim / heads;
    const QString path = folder.filePath("tiny.bin");
    QFile file(path);
    if (!file.open(QIODevice::WriteOnly))
        return {};
    const qint32 header[] = {dim, hidden, layers, heads, heads, vocabulary, context};
    file.write(reinterpret_cast<const char *>(header), sizeof header);
    QRandomGenerator random(7);
    std::vector<float> weights(floats);
    for (float &weight : weights)
        weight = float(random.generateDouble() - 0.5) * 0.4f;
    file.write(reinterpret_cast<const char *>(weights.data()), floats * qint64(sizeof(float)));
    QFile::copy(QStringLiteral(SUPRALENS_TEST_DATA "/tokenizers/llama2c_tok512/tok512.bin"),
                folder.filePath("tok512.bin"));
    return path;
}

} // namespace lens
