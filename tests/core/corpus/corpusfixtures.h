// Made-up text files and a tokenizer whose ids can be worked out by hand.
#pragma once

#include "corpus/tokencache.h"

#include <QDir>
#include <QFile>
#include <QTemporaryDir>
#include <string>
#include <vector>

namespace lens::corpustest {

/// One id a byte, after <unk>, <s> and </s>; `size` may be larger than that.
class ByteTokenizer : public Tokenizer {
public:
    static constexpr TokenId first = 3;

    explicit ByteTokenizer(bool addBos = true, std::size_t size = 259) : m_addBos(addBos), m_size(size)
    {
        m_special.unknown = 0;
        m_special.bos = 1;
        m_special.eos = 2;
    }

    Result<std::vector<TokenId>> encode(std::string_view text, const EncodeOptions &options) const override
    {
        std::vector<TokenId> ids;
        if (options.addSpecial && m_addBos)
            ids.push_back(*m_special.bos);
        for (const unsigned char c : text)
            ids.push_back(first + c);
        return ids;
    }
    std::string bytes(TokenId id, bool) const override { return id < first ? "" : std::string(1, char(id - first)); }
    std::string piece(TokenId id) const override { return "<" + std::to_string(id) + ">"; }
    bool isSpecial(TokenId id) const override { return id < first; }
    std::size_t size() const override { return m_size; }
    const SpecialTokens &special() const override { return m_special; }
    std::string_view kind() const override { return "bytes"; }
    std::string_view chatTemplate() const override { return {}; }

private:
    bool m_addBos;
    std::size_t m_size;
    SpecialTokens m_special;
};

class Folder {
public:
    std::string path(const std::string &name) const { return m_folder.filePath(QString::fromStdString(name)).toStdString(); }

    std::string write(const std::string &name, const std::string &content) const
    {
        QFile file(QString::fromStdString(path(name)));
        if (!file.open(QIODevice::WriteOnly) || file.write(content.data(), qint64(content.size())) < 0)
            qFatal("cannot write %s", name.c_str());
        return file.fileName().toStdString();
    }

    QStringList files(const QString &pattern) const
    {
        return QDir(m_folder.path()).entryList({pattern}, QDir::Files | QDir::Hidden);
    }

private:
    QTemporaryDir m_folder;
};

inline std::vector<TokenId> all(const TokenCache &cache)
{
    std::vector<TokenId> ids(static_cast<std::size_t>(cache.tokens()));
    cache.copy(0, ids);
    return ids;
}

} // namespace lens::corpustest
