#include "widgets/errorbanner.h"

#include "bridge/format.h"
#include "bridge/theme.h"
#include "widgets/iconbutton.h"

#include <QClipboard>
#include <QGuiApplication>
#include <QHBoxLayout>
#include <QPainter>
#include <QPushButton>

namespace lens {

namespace {

constexpr int narrowWidth = 260; ///< pixels; below, the buttons stand under the text

/// A path may break behind each of its folders.
QString breakable(const std::string &path)
{
    return text(path).toHtmlEscaped().replace(QLatin1Char('/'), QStringLiteral("/\u200b"));
}

} // namespace

ErrorBanner::ErrorBanner(QWidget *parent)
    : QFrame(parent), m_layout(new QBoxLayout(QBoxLayout::LeftToRight, this)), m_buttons(new QHBoxLayout),
      m_text(new QLabel)
{
    m_text->setWordWrap(true);
    m_text->setTextFormat(Qt::RichText);
    m_text->setTextInteractionFlags(Qt::TextSelectableByMouse | Qt::TextSelectableByKeyboard);
    m_text->setMinimumWidth(40);
    auto *copy = new IconButton(QStringLiteral("copy"), tr("Copy this message"));
    auto *close = new IconButton(QStringLiteral("close"), tr("Close this message"));
    m_copy = copy;
    m_close = close;
    m_buttons->addStretch();
    m_buttons->addWidget(copy, 0, Qt::AlignTop);
    m_buttons->addWidget(close, 0, Qt::AlignTop);
    m_layout->setContentsMargins(10, 6, 6, 6);
    m_layout->addWidget(m_text, 1);
    m_layout->addLayout(m_buttons);
    connect(copy, &QToolButton::clicked, this, [this] { QGuiApplication::clipboard()->setText(m_plain); });
    connect(close, &QToolButton::clicked, this, [this] {
        hide();
        Q_EMIT dismissed();
    });
    hide();
}

void ErrorBanner::addButton(QPushButton *button)
{
    m_buttons->insertWidget(1, button, 0, Qt::AlignTop);
}

void ErrorBanner::showError(const Error &error)
{
    m_isError = true;
    QStringList lines{QStringLiteral("<b>%1</b>").arg(title(error.code).toHtmlEscaped())};
    if (!error.what.empty())
        lines.append(breakable(error.what));
    if (!error.where.empty())
        lines.append(QStringLiteral("<small>%1</small>").arg(breakable(error.where)));
    if (!error.advice.empty())
        lines.append(tr("To do: %1").arg(breakable(error.advice)));
    m_text->setText(lines.join(QStringLiteral("<br>")));
    m_copy->show();
    m_close->show();
    present(title(error.code) + QStringLiteral(". ") + text(toString(error)));
}

void ErrorBanner::showWarning(const QString &text, bool closable)
{
    m_isError = false;
    m_text->setText(text.toHtmlEscaped());
    m_copy->hide();
    m_close->setVisible(closable);
    present(text);
}

void ErrorBanner::present(const QString &plain)
{
    m_plain = plain;
    setAccessibleName(plain);
    show();
}

void ErrorBanner::resizeEvent(QResizeEvent *event)
{
    QFrame::resizeEvent(event);
    m_layout->setDirection(width() < narrowWidth ? QBoxLayout::TopToBottom : QBoxLayout::LeftToRight);
}

void ErrorBanner::paintEvent(QPaintEvent *)
{
    const Colours colours(palette());
    QPainter painter(this);
    painter.fillRect(rect(), m_isError ? colours.errorSoft : colours.warningSoft);
    painter.fillRect(QRect(0, 0, 3, height()), m_isError ? colours.error : colours.marker);
}

} // namespace lens
