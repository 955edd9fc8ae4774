// A syntax tree into canonical shell text: one command a line, substitutions as $(...), braces round every parameter.
// Reading what is printed and printing again gives the same text.
#include "shell/ast.h"
#include "shell/reader.h"

namespace shell::ast {

namespace {

class Printer {
 public:
  explicit Printer(const Program& program) : program_(program) {}

  void list(const List& commands) {
    for (const auto& each : commands) {
      and_or(each);
      if (each.background) out_ += " &";
      newline();
    }
  }
  std::string take() { return std::move(out_); }

 private:
  void newline() {
    out_ += '\n';
    const auto pending = std::move(pending_);
    pending_.clear();
    for (const auto id : pending) out_ += program_.here_documents[id].body + program_.here_documents[id].delimiter + "\n";
  }

  void and_or(const AndOr& what) {
    for (std::size_t i = 0; i < what.pipelines.size(); ++i) {
      if (i > 0) out_ += " " + what.operators[i - 1] + " ";
      if (what.pipelines[i].negated) out_ += "! ";
      for (std::size_t k = 0; k < what.pipelines[i].commands.size(); ++k) {
        if (k > 0) out_ += " | ";
        command(what.pipelines[i].commands[k]);
      }
    }
  }

  void body(std::string_view open, const List& what, std::string_view close) {
    out_ += open;
    newline();
    list(what);
    out_ += close;
  }

  void command(const Command& c) {
    using Kind = Command::Kind;
    switch (c.kind) {
      case Kind::simple: return simple(c);
      case Kind::subshell: body("(", c.bodies[0], ")"); break;
      case Kind::group: body("{", c.bodies[0], "}"); break;
      case Kind::if_:
        for (std::size_t i = 0; i < c.conditions.size(); ++i) {
          body(i == 0 ? "if" : "elif", c.conditions[i], "then");
          newline();
          list(c.bodies[i]);
        }
        if (c.bodies.size() > c.conditions.size()) body("else", c.bodies.back(), "fi");
        else out_ += "fi";
        break;
      case Kind::while_:
      case Kind::until:
        body(c.kind == Kind::while_ ? "while" : "until", c.conditions[0], "do");
        newline();
        list(c.bodies[0]);
        out_ += "done";
        break;
      case Kind::for_:
      case Kind::select:
        out_ += (c.kind == Kind::for_ ? "for " : "select ") + c.name;
        if (c.has_in) out_ += " in";
        for (const auto& each : c.words) out_ += ' ', word(each);
        newline();
        body("do", c.bodies[0], "done");
        break;
      case Kind::case_:
        out_ += "case ";
        word(c.words[0]);
        out_ += " in";
        newline();
        for (const auto& item : c.items) {
          out_ += '(';
          for (std::size_t i = 0; i < item.patterns.size(); ++i) {
            if (i > 0) out_ += " | ";
            word(item.patterns[i]);
          }
          body(")", item.body, item.terminator);
          newline();
        }
        out_ += "esac";
        break;
      case Kind::function:
        out_ += c.name + "() ";
        command(c.bodies[0][0].pipelines[0].commands[0]);
        break;
      case Kind::arithmetic: out_ += "((" + c.name + "))"; break;
    }
    for (const auto& each : c.redirects) out_ += ' ', redirect(each);
  }

  void simple(const Command& c) {
    const auto start = out_.size();
    const auto gap = [&] {
      if (out_.size() > start) out_ += ' ';
    };
    // A reserved word in the place of a command's name is one only when something stands before it.
    const bool redirects_first = c.assignments.empty() && !c.words.empty() && c.words[0].parts.size() == 1 &&
                                 c.words[0].parts[0].kind == Part::Kind::literal && is_reserved(c.words[0].parts[0].text) && c.words.back().raw != "]]";
    if (redirects_first)
      for (const auto& each : c.redirects) gap(), redirect(each);
    const bool declares = !c.words.empty() && !c.assignments.empty() && c.assignments.front().is_array && c.assignments.back().is_array &&
                          (c.words[0].raw == "local" || c.words[0].raw == "declare" || c.words[0].raw == "export" || c.words[0].raw == "readonly" || c.words[0].raw == "typeset");
    if (!declares)
      for (const auto& each : c.assignments) gap(), assignment(each);
    for (const auto& each : c.words) gap(), word(each);
    if (declares)
      for (const auto& each : c.assignments) gap(), assignment(each);
    if (!redirects_first)
      for (const auto& each : c.redirects) gap(), redirect(each);
  }

  void assignment(const Assignment& a) {
    out_ += a.name;
    if (!a.subscript.empty()) out_ += "[" + a.subscript + "]";
    out_ += a.append ? "+=" : "=";
    if (!a.is_array) return word(a.value);
    out_ += '(';
    for (std::size_t i = 0; i < a.elements.size(); ++i) {
      if (i > 0) out_ += ' ';
      word(a.elements[i]);
    }
    out_ += ')';
  }

  void redirect(const Redirect& r) {
    if (r.fd >= 0) out_ += std::to_string(r.fd);
    if (r.op != "<<" && r.op != "<<-") {
      out_ += r.op;
      if (!r.target.parts.empty() && r.target.parts[0].kind == Part::Kind::process) out_ += ' ';
      return word(r.target);
    }
    const auto& document = program_.here_documents[r.here];
    out_ += "<<";
    if (document.quoted) {
      out_ += '\'';
      for (const char c : document.delimiter) {
        if (c == '\'') out_ += "'\\''";
        else out_ += c;
      }
      out_ += '\'';
    } else {
      out_ += r.target.raw;
    }
    pending_.push_back(r.here);
  }

  void word(const Word& w) { parts(w.parts); }

  void parts(const std::vector<Part>& all) {
    bool after_literal = false;
    for (const auto& part : all) {
      const bool literal = part.kind == Part::Kind::literal;
      const bool only_dollar = part.text == "$" && &part != &all.back();
      if (literal && after_literal && !only_dollar) out_ += "\\\n";  // a line was continued here
      after_literal = literal;
      if (literal && part.text.ends_with('$') && &part != &all.back()) {  // lest it joins what follows
        out_.append(part.text, 0, part.text.size() - 1).append("\\$");
        after_literal = false;
        continue;
      }
      one(part);
    }
  }

  void one(const Part& part) {
    switch (part.kind) {
      case Part::Kind::literal: out_ += part.text; break;
      case Part::Kind::escaped: out_ += '\\' + part.text; break;
      case Part::Kind::single: out_ += '\'' + part.text + '\''; break;
      case Part::Kind::ansi: out_ += "$'" + part.raw + '\''; break;
      case Part::Kind::double_:
        out_ += '"';
        parts(part.words[0].parts);
        out_ += '"';
        break;
      case Part::Kind::parameter:
        out_ += "${";
        if (part.length) out_ += '#';
        if (part.indirect) out_ += '!';
        out_ += part.text;
        if (!part.subscript.empty()) out_ += "[" + part.subscript + "]";
        out_ += part.op;
        if (!part.words.empty()) parts(part.words[0].parts);
        out_ += '}';
        break;
      case Part::Kind::arithmetic: out_ += "$((" + part.text + "))"; break;
      case Part::Kind::command:
      case Part::Kind::process: {
        const auto pending = std::move(pending_);
        pending_.clear();
        body(part.kind == Part::Kind::command ? "$(" : part.op + "(", part.body, ")");
        pending_ = pending;
        break;
      }
    }
  }

  const Program& program_;
  std::string out_;
  std::vector<std::uint32_t> pending_;
};

}  // namespace

std::string print(const Program& program) {
  Printer printer(program);
  printer.list(program.list);
  return printer.take();
}

}  // namespace shell::ast
