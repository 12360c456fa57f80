// The window with the real engine and tiny models: a softmax model beside its SUPRA conversion, with all lenses alive.
#include "tinymodel.h"

#include "appsettings.h"
#include "bridge/engineapi.h"
#include "bridge/trainingapi.h"
#include "lens/attentiondock.h"
#include "lens/headmap.h"
#include "mainwindow.h"
#include "themeswitch.h"

#include <QDir>
#include <QLabel>
#include <QRandomGenerator>
#include <QSignalSpy>
#include <QTemporaryDir>
#include <QTest>

using namespace lens;

namespace {

} // namespace

class TestWindowModels : public QObject {
    Q_OBJECT

private:
    struct Run {
        Run(const QTemporaryDir &folder, const QStringList &models)
            : engine(makeEngine()), trainer(makeTrainingEngine()), settings(folder.filePath("settings.ini")), theme(settings),
              window(*engine, *trainer, settings, folder.filePath("workspace.supralens"))
        {
            GenerationSettings generation;
            generation.options.maxTokens = 24;
            generation.options.ignoreEndOfText = true;
            window.chat().setSettings(generation);
            window.resize(1440, 900);
            window.show();
            window.openModels(models);
        }

        std::unique_ptr<Engine> engine;
        std::unique_ptr<TrainingEngine> trainer;
        AppSettings settings;
        ThemeSwitch theme;
        MainWindow window;
    };

    QString columnTexts(const MainWindow &window) const
    {
        QStringList texts;
        for (const QLabel *label : window.findChildren<QLabel *>())
            if (label->isVisible())
                texts.append(label->text());
        return texts.join(QLatin1Char('\n'));
    }

    void picture(MainWindow &window, const char *name)
    {
        QTest::qWait(250);
        QVERIFY(window.grab().save(QStringLiteral(SUPRALENS_TEST_OUTPUT "/real-%1.png").arg(QLatin1String(name))));
    }

private Q_SLOTS:
    void init()
    {
        for (const char *place : {"SUPRALENS_MODELS", "XDG_DATA_HOME", "XDG_DATA_DIRS"})
            qputenv(place, "/nonexistent");
    }

    void aModelBesideItsConversion()
    {
        QTemporaryDir folder;
        const QString file = makeModel(folder);
        qint64 session = 0;
        QString answer;
        {
            Run run(folder, {file});
            ChatController &chat = run.window.chat();
            QTRY_VERIFY_WITH_TIMEOUT(chat.column(0).model() && chat.column(1).model(), 30000);
            QVERIFY(chat.column(1).info().untrained);
            chat.send(QStringLiteral("Once upon a time"));
            QTRY_VERIFY_WITH_TIMEOUT(chat.column(0).last() && !chat.isBusy(), 30000);
            QVERIFY2(!chat.column(0).error(), chat.column(0).error() ? toString(*chat.column(0).error()).c_str() : "");
            QCOMPARE(chat.column(0).last()->answer.tokens.size(), std::size_t(24));
            QCOMPARE(chat.column(1).last()->answer.tokens.size(), std::size_t(24));
            QTRY_VERIFY_WITH_TIMEOUT(!std::isnan(chat.column(0).last()->answer.tokens[0].kl), 30000);
            auto *attention = run.window.findChild<AttentionDock *>();
            Q_EMIT attention->measureRequested();
            picture(run.window, "attention-1");
            QTest::qWait(1500);
            picture(run.window, "pair");
            session = chat.session();
            answer = chat.column(0).last()->answer.text;
            run.window.close();
        }
        Run again(folder, {});
        QTRY_COMPARE(again.window.sessions().rowCount(), 1);
        QMetaObject::invokeMethod(again.window.findChild<QObject *>("sidePanel"), "sessionChosen",
                                  Q_ARG(qint64, session));
        QTRY_VERIFY(again.window.chat().column(0).last());
        QCOMPARE(again.window.chat().column(0).last()->answer.text, answer);
        QTRY_VERIFY_WITH_TIMEOUT(again.window.chat().column(0).model() && again.window.chat().column(1).model(), 30000);
        QTRY_VERIFY_WITH_TIMEOUT(!std::isnan(again.window.chat().column(0).last()->answer.tokens[0].kl), 30000);
        picture(again.window, "reopened");
        again.window.chat().continueAnswer(0);
        QTRY_VERIFY_WITH_TIMEOUT(!again.window.chat().isBusy(), 30000);
        QVERIFY(again.window.chat().column(0).last()->answer.tokens.size() > 24);
    }

    void aLinearModelStaysAlone()
    {
        QTemporaryDir folder;
        Run run(folder, {QStringLiteral(SUPRALENS_SOURCE_DIR "/resources/models/stories-supra")});
        ChatController &chat = run.window.chat();
        QTRY_VERIFY_WITH_TIMEOUT(chat.column(0).model(), 30000);
        QTest::qWait(100);
        QCOMPARE(chat.chosenModel(1), quint64(0));
        QVERIFY(!columnTexts(run.window).contains(QStringLiteral("Not supported")));
    }

    void aModelWithoutATokenizerSaysWhatItCannotDo()
    {
        QTemporaryDir folder;
        const QString file = makeModel(folder);
        QVERIFY(QFile::remove(folder.filePath("tok512.bin")));
        Run run(folder, {file, file});
        ChatController &chat = run.window.chat();
        QTRY_VERIFY_WITH_TIMEOUT(chat.column(0).model(), 30000);
        QTRY_VERIFY(columnTexts(run.window).contains(QStringLiteral("No tokenizer")));
        chat.send(QStringLiteral("Once upon a time"));
        QTRY_VERIFY_WITH_TIMEOUT(chat.column(0).error(), 30000);
        QTRY_VERIFY(!chat.isBusy());
        picture(run.window, "without-tokenizer");
    }

    void aModelOpenedByNameIsListedOnce()
    {
        QTemporaryDir folder;
        QVERIFY(QDir(folder.path()).mkpath("models/Little-Model"));
        const QString file = makeModel(folder), there = folder.filePath("models/Little-Model/tiny.bin");
        QVERIFY(QFile::rename(file, there));
        qputenv("SUPRALENS_MODELS", folder.filePath("models").toUtf8());
        Run run(folder, {"little"});
        QTRY_VERIFY_WITH_TIMEOUT(run.window.chat().column(0).info().layerCount > 0, 30000);
        int listed = 0;
        for (const ModelEntry &entry : run.window.library().entries()) {
            QVERIFY2(entry.specification.startsWith(there), qPrintable(entry.specification));
            listed += entry.specification == there;
        }
        QCOMPARE(listed, 1);
    }

    void aPromptGoesOnlyToThoseWhoCanReadIt()
    {
        QTemporaryDir folder, mute;
        const QString file = makeModel(folder), other = makeModel(mute);
        QVERIFY(QFile::remove(mute.filePath("tok512.bin")));
        Run run(folder, {file, other});
        ChatController &chat = run.window.chat();
        QTRY_VERIFY_WITH_TIMEOUT(chat.column(0).model() && chat.column(1).model(), 30000);
        chat.send(QStringLiteral("Once upon a time"));
        QTRY_VERIFY_WITH_TIMEOUT(chat.column(0).last() && !chat.isBusy(), 30000);
        QVERIFY(!chat.column(1).last());
        QVERIFY(!chat.column(1).error());
    }

    void whatWasWrittenIsReadAgain()
    {
        QTemporaryDir folder;
        Run run(folder, {makeModel(folder)});
        ModelLibrary &library = run.window.library();
        ChatController &chat = run.window.chat();
        QTRY_VERIFY_WITH_TIMEOUT(chat.column(0).model() && chat.column(1).model(), 30000);
        const QString place = folder.filePath("written");
        const auto write = [&library, &place](quint64 entry) {
            bool done = false, written = false;
            library.save(entry, place, SaveFormat::SupraLens, [&done, &written](const Result<void> &result) {
                done = true;
                written = result.has_value();
            });
            return QTest::qWaitFor([&done] { return done; }, 30000) && written;
        };
        const auto mixer = [&library](quint64 entry) {
            const ModelEntry *known = library.entry(entry);
            return known->state == ModelEntry::State::Listed && known->info ? known->info->mixer : std::string();
        };
        const quint64 listed = library.add(folder.filePath("tiny.bin@t2r"));
        QTRY_COMPARE_WITH_TIMEOUT(mixer(listed), std::string("t2r"), 30000);
        ConvertOptions some;
        some.layers = {1};
        const quint64 hybrid = library.convert(chat.chosenModel(0), some);
        QTRY_VERIFY_WITH_TIMEOUT(library.entry(hybrid)->model, 30000);
        QCOMPARE(library.entry(hybrid)->name, QStringLiteral("tiny (SUPRA layers=1)"));
        QVERIFY(write(chat.chosenModel(0)));
        const quint64 entry = library.addWritten(place);
        QTRY_COMPARE_WITH_TIMEOUT(mixer(entry), std::string("softmax"), 30000);
        library.load(entry);
        QTRY_VERIFY_WITH_TIMEOUT(library.entry(entry)->model, 30000);
        QVERIFY(write(chat.chosenModel(1)));
        QCOMPARE(library.addWritten(place), entry);
        QTRY_COMPARE_WITH_TIMEOUT(mixer(entry), std::string("supra"), 30000);
    }
};

QTEST_MAIN(TestWindowModels)
#include "tst_windowmodels.moc"
