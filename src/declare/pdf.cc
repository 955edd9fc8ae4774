// The text of a PDF, page by page. poppler reads it in a worker: a crafted file costs that worker and nothing else.
#include <poppler-document.h>
#include <poppler-global.h>
#include <poppler-page.h>

#include <algorithm>
#include <memory>

#include "base/worker.h"
#include "declare/declare.h"

namespace declare {
namespace {

constexpr int kMostPages = 2000;
constexpr std::size_t kMostText = 32 << 20;

void be_silent(const std::string&, void*) {}

std::unique_ptr<poppler::document> open(base::ByteView bytes) {
  poppler::set_debug_error_function(be_silent, nullptr);
  return std::unique_ptr<poppler::document>(poppler::document::load_from_raw_data(reinterpret_cast<const char*>(bytes.data()), static_cast<int>(bytes.size())));
}

}  // namespace

base::Result<std::vector<std::string>> pages_of_pdf(base::ByteView bytes) {
  // A worker opens no files: what poppler looks up once, it looks up here, over a document of our own.
  static constexpr std::string_view own =
      "%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n"
      "3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 99 99]/Resources<</Font<</F 4 0 R>>>>/Contents 5 0 R>>endobj\n"
      "4 0 obj<</Type/Font/Subtype/Type1/BaseFont/Courier>>endobj\n5 0 obj<</Length 24>>stream\nBT /F 9 Tf (a) Tj ET    \nendstream endobj\ntrailer<</Root 1 0 R>>\n";
  if (const auto document = open(base::as_bytes(own)))
    if (const std::unique_ptr<poppler::page> page(document->create_page(0)); page) (void)page->text();
  base::WorkerLimits limits;
  limits.cpu_seconds = 30;
  limits.wall_seconds = 60;
  // '+' and the pages, each ended by a form feed; or '-' and why not.
  const auto answer = base::run_worker(limits, [&] {
    std::string out;
    const auto document = open(bytes);
    if (!document) out = "-the file is no PDF that poppler reads";
    else if (document->is_locked()) out = "-the PDF asks for a password";
    else {
      out = "+";
      const int pages = std::min(document->pages(), kMostPages);
      for (int i = 0; i < pages && out.size() < kMostText; ++i) {
        const std::unique_ptr<poppler::page> page(document->create_page(i));
        if (page) {
          const auto text = page->text(poppler::rectf(), poppler::page::physical_layout).to_utf8();
          std::ranges::replace_copy(text, std::back_inserter(out), '\f', ' ');
        }
        out += '\f';
      }
    }
    return base::Bytes(out.begin(), out.end());
  });
  if (!answer) return std::unexpected(answer.error());
  const std::string_view text = base::as_text(*answer);
  if (!text.starts_with('+')) return base::fail(base::Error::Kind::damaged, std::string(text.substr(text.empty() ? 0 : 1)));
  return split_pages(text.substr(1));
}

}  // namespace declare
