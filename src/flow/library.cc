// Library calls on a state: what each does to texts and memory, and the record of those worth recording.
#include <algorithm>
#include <cstdlib>

#include <fmt/format.h>

#include "flow/engine.h"
#include "flow/library.h"

namespace flow {

std::optional<State> Engine::library(State s, const std::string& name, const Model& model, const std::vector<int>& skip,
                                     std::uint64_t site, const Frame& frame, bool raw) {
  // Arguments as the model counts them.
  std::size_t position = 0;
  const auto next_raw = [&]() -> Value {
    while (std::find(skip.begin(), skip.end(), static_cast<int>(position)) != skip.end()) ++position;
    return argument(s, position++);
  };
  std::vector<Value> values;
  std::optional<std::size_t> format_at, more_at;
  for (std::size_t i = 0; i < model.args.size(); ++i) {
    if (model.args[i] == Role::format || model.args[i] == Role::scan) format_at = i;
    if (model.args[i] == Role::more || model.args[i] == Role::list) { more_at = i; break; }
    values.push_back(next_raw());
  }
  const auto value_of = [&](Role role) -> const Value* {
    for (std::size_t i = 0; i < values.size(); ++i)
      if (model.args[i] == role) return &values[i];
    return nullptr;
  };

  // Variable arguments: from the call, or from a va_list.
  std::function<Value()> next = next_raw;
  const bool valist = model.name.starts_with("v") && format_at && values.size() == *format_at + 2;
  if (valist) {
    const Value ap = values.back();
    auto cursor = std::make_shared<int>(0);
    next = [this, &s, ap, cursor]() -> Value {
      const int n = (*cursor)++;
      const auto offset = [&](const Value& base, std::uint64_t d) { return binary(sleigh::Op::INT_ADD, base, constant(d, word_), word_, word_); };
      switch (elf_.machine) {
        case elf::Machine::x86_64: {  // gp_offset, fp_offset, overflow_arg_area, reg_save_area
          const Value used = load(s, ap, 4);
          if (!used.is_const()) return {0, 0, 0, Value::Kind::symbol, word_};
          const std::uint64_t at = used.off + static_cast<std::uint64_t>(n) * 8;
          if (at < 48) return load(s, offset(load(s, offset(ap, 16), 8), at), 8);
          const std::uint64_t skipped = used.off < 48 ? (48 - used.off) / 8 : 0;
          return load(s, offset(load(s, offset(ap, 8), 8), (static_cast<std::uint64_t>(n) - skipped) * 8), 8);
        }
        case elf::Machine::aarch64: {  // stack, gr_top, vr_top, gr_offs, vr_offs
          const Value used = load(s, offset(ap, 24), 4);
          if (!used.is_const()) return {0, 0, 0, Value::Kind::symbol, word_};
          const std::int64_t gr = static_cast<std::int32_t>(used.off);
          const std::int64_t at = gr + n * 8;
          if (at < 0) return load(s, offset(load(s, offset(ap, 8), 8), static_cast<std::uint64_t>(at)), 8);
          return load(s, offset(load(s, ap, 8), static_cast<std::uint64_t>(gr < 0 ? at : n * 8)), 8);
        }
        case elf::Machine::ppc: {  // gpr, fpr, reserved, overflow_arg_area, reg_save_area
          const Value used = load(s, ap, 1);
          if (!used.is_const()) return {0, 0, 0, Value::Kind::symbol, word_};
          const std::uint64_t at = used.off + static_cast<std::uint64_t>(n);
          if (at < 8) return load(s, offset(load(s, offset(ap, 8), 4), at * 4), 4);
          return load(s, offset(load(s, offset(ap, 4), 4), (at - std::max<std::uint64_t>(8, used.off)) * 4), 4);
        }
        default: return load(s, offset(ap, static_cast<std::uint64_t>(n) * word_), word_);
      }
    };
  }

  const bool recorded = !model.group.empty() && !alone_;
  std::uint32_t id = UINT32_MAX;
  if (recorded) {
    ++frame.recorded;
    std::uint64_t context = frame.context;
    auto key = std::pair(site, context);
    if (!call_ids_.contains(key) && contexts_of_[site] >= most_contexts) key.second = ~std::uint64_t{0};
    const auto [it, fresh] = call_ids_.emplace(key, static_cast<std::uint32_t>(calls_.size()));
    if (fresh) {
      ++contexts_of_[site];
      calls_.emplace_back();
      feeds_.emplace_back(), guards_.emplace_back(), passed_.emplace_back(), visits_.push_back(0);
    }
    id = it->second;
  }

  std::vector<Value> varargs;
  std::vector<Text> formatted;
  const bool printf_like = format_at && model.args[*format_at] == Role::format;
  if (printf_like) formatted = format(s, texts_at(s, values[*format_at]), next, &varargs);
  if (model.name == "open" || model.name == "openat") { /* mode is only there with O_CREAT; harmless otherwise */ }

  if (alone_ && !model.group.empty() && frame.body) {
    Alone call{frame.body->entry, site, 0, 0, &model, {}, {}, {}, false};
    std::vector<std::uint32_t> feeds;
    bool resolved = true;
    const auto add = [&](const Value& v, Role role) {
      call.passed.push_back(passed(v)), call.roles.push_back(role);
      call.described.push_back(describe(s, v, role == Role::list ? Role::text : role, feeds, resolved, nullptr));
      ArgValue& said = call.described.back();
      // What stands on the stack or the heap was put there by loops and calls that are not followed here.
      if (said.buffer_id.starts_with("stack") || said.buffer_id.starts_with("heap")) said.kind = ArgValue::Kind::unknown, said.values = {"unknown"};
    };
    for (std::size_t i = 0; i < values.size(); ++i)
      if (model.args[i] != Role::argv && !(valist && i + 1 == values.size())) add(values[i], model.args[i]);
    if (more_at && model.args[*more_at] == Role::list)
      for (int i = 0; i < 8; ++i) {
        const Value v = next_raw();
        if (!v.is_const() || v.off == 0) break;
        add(v, Role::list);
      }
    for (const auto& v : varargs) add(v, Role::any);
    if (printf_like && !valist && call.passed[*format_at].parameter >= 0) {
      call.format = format_at;
      for (; call.guessed < 6; ++call.guessed) add(next(), Role::any);
    } else if (printf_like) {
      call.described[*format_at] = {};
      call.described[*format_at].kind = ArgValue::Kind::text;
      for (const auto& t : formatted) call.described[*format_at].values.push_back(t.text);
      if (std::any_of(varargs.begin(), varargs.end(), [&](const Value& v) { return v.is_const() && (is_stack(v.off) || is_heap(v.off)); }))
        call.described[*format_at].kind = ArgValue::Kind::unknown, call.described[*format_at].values = {"unknown"};
    }
    note_alone(std::move(call));
  }
  if (recorded) {
    std::vector<std::uint32_t> feeds;
    bool resolved = true;
    std::vector<ArgValue> args;
    std::optional<Endpoint> endpoint;
    const Value* length = value_of(Role::size);
  Value product;  // fwrite and fread count elements of a size
  if (length && (model.name == "fwrite" || model.name == "fread") && values.size() > 2 && values[1].is_const() && values[2].is_const()) {
    product = constant((values[1].off & 0xFFFF) * (values[2].off & 0xFFFF), word_);
    length = &product;
  }
    bool argv_done = false;
    const auto list_of = [&](const std::function<Value()>& item) {
      for (int i = 0; i < 32; ++i) {
        const Value v = item();
        if (v.is_const() && v.off == 0) break;
        const bool known = v.is_const() || v.kind == Value::Kind::choice;
        args.push_back(describe(s, v, Role::text, feeds, resolved, nullptr));
        if (!known && i > 8) break;
        if (!known && args.back().kind == ArgValue::Kind::unknown) break;
      }
    };
    for (std::size_t i = 0; i < values.size(); ++i) {
      const Role role = model.args[i];
      if (role == Role::argv) {
        if (argv_done) continue;
        argv_done = true;
        std::uint64_t n = 0;
        list_of([&] { return load(s, binary(sleigh::Op::INT_ADD, values[i], constant(n++ * word_, word_), word_, word_), word_); });
        continue;
      }
      if (valist && i + 1 == values.size()) continue;
      args.push_back(describe(s, values[i], role, feeds, resolved, length));
      if (role == Role::sockaddr && !(values[i].is_const() && values[i].off == 0)) endpoint = endpoint_at(s, values[i], resolved);
    }
    if (more_at && model.args[*more_at] == Role::list) list_of(next_raw);
    if (printf_like) {
      // Beside the arguments, the whole text that they make, where the call makes one.
      for (const auto& t : formatted) add_feeds(tables_, t.taint, feeds), resolved &= t.whole;
      for (const auto& v : varargs) {
        const bool pointer = (v.is_const() && v.off > 0x1000) || (v.kind == Value::Kind::choice);
        args.push_back(describe(s, v, pointer ? Role::any : Role::any, feeds, resolved, nullptr));
      }
      ArgValue text;
      text.kind = ArgValue::Kind::text;
      for (const auto& t : formatted) text.values.push_back(t.text);
      std::sort(text.values.begin(), text.values.end());
      args[*format_at] = std::move(text);
    }
    for (auto& v : values)
      if (const auto p = place_of(v); p && p->base == 0) {
        const Page* page = s.find(*p);
        if (page)
          for (const auto& c : page->cells)
            if (c.pos == p->at % 64) add_feeds(tables_, c.value.taint, feeds);
      }

    CallSite& call = calls_[id];
    std::vector<std::uint32_t> guards;
    for (const auto t : s.tested) guards.push_back(static_cast<std::uint32_t>(t >> 32));
    std::sort(guards.begin(), guards.end());
    guards.erase(std::unique(guards.begin(), guards.end()), guards.end());
    for (const auto f : feeds)
      if (f != id) feeds_[id].insert(f);
    if (visits_[id]++ == 0) {
      call.function_address = frame.body ? frame.body->entry : 0;
      call.function = function_name(call.function_address);
      call.site = site;
      call.callee = model.name;
      call.args = std::move(args);
      call.endpoint = std::move(endpoint);
      call.result_id = fmt::format("ret:{}@{:x}", model.name, site);
      call.resolved_all = resolved;
      call.raw = raw;
      call.inferred = recognised_.contains(site) || (elf_.is_static && !raw && elf_.is_stripped);
      guards_[id] = guards, passed_[id] = s.passed;
      call.reached_from = frame.root;
      std::vector<std::string> chain;
      for (const Frame* f = &frame; f; f = f->caller)
        if (f->body) chain.push_back(function_name(f->body->entry));
      call.reached_from.insert(call.reached_from.end(), chain.rbegin(), chain.rend());
    } else {
      const auto meet = [](std::vector<std::uint32_t>& a, const std::vector<std::uint32_t>& b) {
        std::vector<std::uint32_t> out;
        std::set_intersection(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(out));
        a = std::move(out);
      };
      meet(guards_[id], guards), meet(passed_[id], s.passed);
      call.resolved_all &= resolved;
      for (std::size_t i = 0; i < args.size(); ++i) {
        if (i >= call.args.size()) {
          call.args.push_back(std::move(args[i]));
          continue;
        }
        auto& have = call.args[i];
        if (have.kind == ArgValue::Kind::unknown && args[i].kind != ArgValue::Kind::unknown) std::swap(have, args[i]);
        else if (have.kind != args[i].kind) continue;
        for (const auto& v : args[i].values)
          if (have.values.size() < 8 && std::find(have.values.begin(), have.values.end(), v) == have.values.end()) have.values.push_back(v);
        for (const auto v : args[i].numbers)
          if (have.numbers.size() < 8 && std::find(have.numbers.begin(), have.numbers.end(), v) == have.numbers.end()) have.numbers.push_back(v);
        std::sort(have.values.begin(), have.values.end());
        std::sort(have.numbers.begin(), have.numbers.end());
      }
      if (endpoint && (!call.endpoint || (call.endpoint->address.starts_with("$") && !endpoint->address.starts_with("$")))) call.endpoint = endpoint;
    }
    const auto at = std::lower_bound(s.passed.begin(), s.passed.end(), id);
    if ((at == s.passed.end() || *at != id) && s.passed.size() < 512) s.passed.insert(at, id);
  }

  const std::uint16_t own = id == UINT32_MAX ? 0 : tables_.taint_of(id);
  const auto allocate = [&](std::uint64_t size) {
    const Value v = constant(s.heap, word_);
    s.heap += base::align_up(std::min<std::uint64_t>(std::max<std::uint64_t>(size, 1), 0x8000), heap_step) + heap_step;
    if (s.heap > heap_high_ - 0x10000) s.heap = heap_low_;
    return v;
  };
  const auto first_text = [&](const Value& v) {
    auto t = texts_at(s, v);
    return t.empty() ? Text{"${unknown}", false, 0} : t.front();
  };
  const auto cut = [](std::vector<Text> texts, const Value* size, bool with_nul) {
    if (!size || !size->is_const()) return texts;
    const std::uint64_t n = size->off & 0xFFFFFFFF;
    for (auto& t : texts)
      if (t.whole && t.text.size() > n - (with_nul && n > 0 ? 1 : 0)) t.text.resize(n - (with_nul && n > 0 ? 1 : 0));
    return texts;
  };
  const auto length_mark = [&](const Value& buffer, std::uint16_t taint) -> Value {
    const auto p = place_of(buffer);
    Symbol symbol{Symbol::Kind::index, "unknown"};
    if (p && p->base == 0) symbol.path = fmt::format("@{:x}", p->at);
    Value v = tables_.keyed(fmt::format("length {:x} {}", p ? p->at : site, p ? p->base : 0), symbol, word_);
    v.taint = taint;
    return v;
  };
  const auto count_of = [&](const std::vector<Text>& texts, const Value& buffer) -> Value {
    if (texts.size() == 1 && texts[0].whole) return constant(texts[0].text.size(), word_, texts[0].taint);
    std::uint16_t taint = 0;
    for (const auto& t : texts) taint = tables_.taint_union(taint, t.taint);
    return length_mark(buffer, taint);
  };
  const auto input_origin = [&](const Value* fd) -> std::string {
    if (!fd) return "input";
    // Of a descriptor or an error's number, the descriptor.
    for (const auto& v : fd->kind == Value::Kind::choice ? tables_.parts(fd->id) : std::vector<Value>{*fd})
      if (v.kind == Value::Kind::symbol && !tables_.symbol(v.id).path.empty() && tables_.symbol(v.id).path[0] != '@') return "read:" + tables_.symbol(v.id).path;
    return "input";
  };

  Value result = result_symbol(model.name, site, id, "");
  switch (model.does) {
    case Does::nothing:
      if (model.returns == "text" && !values.empty()) {
        std::string key;
        for (std::size_t i = 0; i < values.size() && key.empty(); ++i)
          if (model.args[i] == Role::text) {
            const auto t = first_text(values[i]);
            if (t.whole) key = t.text;
          }
        result = result_symbol(model.name, site, id, key.empty() ? "ret:" + model.name : "ret:" + model.name + ":" + key);
      } else if (model.name == "gethostbyname" || model.name == "gethostbyname2") {
        const auto t = first_text(values[0]);
        result = result_symbol(model.name, site, id, "host:" + (t.whole ? t.text : bare_origin(t.text)));
      } else if (model.name == "getaddrinfo" && values.size() > 3) {
        const auto t = first_text(values[0]);
        const auto service = values[1].is_const() && values[1].off == 0 ? Text{"", true, 0} : first_text(values[1]);
        const std::string host = "host:" + (t.whole ? t.text : bare_origin(t.text)) + (service.whole && !service.text.empty() ? ":" + service.text : "");
        store(s, values[3], result_symbol(model.name, site, id, host), word_);
      } else if (model.name == "popen" || model.name == "accept" || model.name == "socket") {
        tables_.symbol(result.id).path = model.name == "popen" ? "|" + first_text(values[0]).text : "";
      } else if (model.name == "waitpid" || model.name == "wait") {
        const Value& status = values[model.name == "wait" ? 0 : 1];
        Value v = result_symbol(model.name, site, id, "");
        v.size = 4;
        if (const auto p = place_of(status); p && (p->base != 0 || p->at > 0x1000)) store(s, status, tables_.derived(0x41000, v, constant(0), Symbol::Kind::result, 4), 4);
      } else if (model.name == "dlsym" && values.size() > 1) {
        const auto t = first_text(values[1]);
        if (t.whole) result = tables_.keyed("import " + t.text, {Symbol::Kind::import, t.text}, word_);
      }
      break;
    case Does::copy: {
      const auto texts = texts_at(s, values[1]);
      write_texts(s, values[0], texts);
      if (model.name == "stpcpy") {
        result = texts.size() == 1 && texts[0].whole && values[0].is_const() ? binary(sleigh::Op::INT_ADD, values[0], constant(texts[0].text.size(), word_), word_, word_)
                                                     : binary(sleigh::Op::INT_ADD, values[0], length_mark(values[0], texts.empty() ? 0 : texts[0].taint), word_, word_);
        if (!result.is_const()) {
          const auto p = place_of(values[0]);
          const bool appended = p && p->base != 0 && tables_.symbol(p->base - 1).path.starts_with("@");
          if (values[0].is_const()) result = length_mark(values[0], 0), result.off = values[0].off;
          else if (appended) result = values[0];  // still the end of the same text
        }
      }
      break;
    }
    case Does::copy_n:
      write_texts(s, values[0], cut(texts_at(s, values[1]), value_of(Role::size), model.name == "strlcpy"));
      break;
    case Does::append: case Does::append_n: {
      const auto before = texts_at(s, values[0]);
      auto more = texts_at(s, values[1]);
      if (model.does == Does::append_n) more = cut(std::move(more), value_of(Role::size), false);
      std::vector<Text> all;
      for (const auto& b : before)
        for (const auto& m : more) {
          Text t = b;
          if (t.text == "${unknown}") t.text.clear();  // nothing was known to be there: most often it was empty
          t.text += m.text, t.whole &= m.whole, t.taint = tables_.taint_union(t.taint, m.taint);
          if (all.size() < 8) all.push_back(std::move(t));
        }
      write_texts(s, values[0], std::move(all));
      break;
    }
    case Does::copy_bytes: {
      const bool swapped = model.name == "bcopy";
      const Value to = values[swapped ? 1 : 0], from = values[swapped ? 0 : 1], size = values[2];
      const auto source = place_of(from), target = place_of(to);
      const bool appends = target && target->base != 0 && tables_.symbol(target->base - 1).path.starts_with("@");
      if (appends) {  // memcpy(buf + strlen(buf), text, n)
        write_texts(s, to, cut(texts_at(s, from), &size, false));
      } else if (target && from.kind == Value::Kind::choice) {
        write_texts(s, to, texts_at(s, from));
      } else if (source && target) {
        const std::uint64_t n = size.is_const() ? std::min<std::uint64_t>(size.off & 0xFFFFFFFF, 8192) : 0;
        if (!size.is_const()) {
          write_texts(s, to, texts_at(s, from));
        } else if (target->base != 0 || is_stack(target->at) || is_heap(target->at) || elf_.segment_of(target->at)) {
          std::vector<std::uint8_t> run;
          std::uint64_t run_at = 0;
          std::vector<std::pair<std::uint64_t, Value>> cells;
          const auto flush = [&] {
            if (!run.empty()) s.store_bytes({target->base, target->at + run_at}, run.data(), run.size());
            run.clear();
          };
          for (std::uint64_t i = 0; i < n; ++i) {
            const Place p{source->base, source->at + i};
            if (const auto b = byte_at(s, p)) {
              if (run.empty()) run_at = i;
              run.push_back(*b);
              continue;
            }
            flush();
            const Page* page = s.find(p);
            bool copied = false;
            if (page)
              for (const auto& c : page->cells)
                if (c.pos == p.at % 64 && i + c.size <= n) {
                  const Cell cell = c;
                  s.store_value({target->base, target->at + i}, cell.value, cell.size, big_);
                  i += cell.size - 1u;
                  copied = true;
                  break;
                }
            if (!copied && i % word_ == 0 && i + word_ <= n && (source->at + i) % word_ == 0) {
              const Value v = load(s, binary(sleigh::Op::INT_ADD, from, constant(i, word_), word_, word_), word_);
              s.store_value({target->base, target->at + i}, v, word_, big_);
              i += word_ - 1u;
              copied = true;
            }
            if (!copied && source->base != 0) {
              if (i == 0) {
                s.store_text(*target, tables_.text(texts_at(s, from)), from.taint);
              } else {
                s.forget({target->base, target->at + i}, 1);
              }
            }
          }
          flush();
        }
      }
      if (model.name == "mempcpy") result = binary(sleigh::Op::INT_ADD, to, size, word_, word_);
      break;
    }
    case Does::fill: {
      const Value byte = model.name == "bzero" ? constant(0) : values[1];
      const Value size = values.back();
      const auto p = place_of(values[0]);
      if (p && byte.is_const() && size.is_const() && (p->base != 0 || is_stack(p->at) || is_heap(p->at) || elf_.segment_of(p->at))) {
        const std::vector<std::uint8_t> bytes(std::min<std::uint64_t>(size.off & 0xFFFFFFFF, 8192), static_cast<std::uint8_t>(byte.off));
        s.store_bytes(*p, bytes.data(), bytes.size());
      }
      break;
    }
    case Does::duplicate: {
      auto texts = texts_at(s, values[0]);
      if (model.name == "strndup") texts = cut(std::move(texts), value_of(Role::size), false);
      result = allocate(512);
      write_texts(s, result, std::move(texts));
      break;
    }
    case Does::length: {
      const auto texts = texts_at(s, values[0]);
      result = count_of(texts, values[0]);
      if (texts.size() > 1 && std::all_of(texts.begin(), texts.end(), [](const Text& t) { return t.whole; })) {
        std::vector<Value> parts;
        for (const auto& t : texts) parts.push_back(constant(t.text.size(), word_, t.taint));
        const auto p = place_of(values[0]);
        if (!p || p->base != 0) result = tables_.choice(std::move(parts), word_);
      }
      break;
    }
    case Does::compare: {
      const auto a = texts_at(s, values[0]), b = texts_at(s, values[1]);
      std::uint16_t taint = own;
      for (const auto& t : a) taint = tables_.taint_union(taint, t.taint);
      for (const auto& t : b) taint = tables_.taint_union(taint, t.taint);
      if (a.size() == 1 && b.size() == 1 && a[0].whole && b[0].whole && model.name == "strcmp" && a[0].taint == 0 && b[0].taint == 0)
        result = constant(a[0].text == b[0].text ? 0 : 1, word_, taint);
      else
        result.taint = taint;
      break;
    }
    case Does::find: case Does::find_last: {
      const auto hay = texts_at(s, values[0]);
      const bool single = hay.size() == 1 && hay[0].whole;
      std::optional<std::size_t> at;
      bool decided = false;
      if (single && values[1].is_const() && model.args[1] == Role::number) {
        const auto pos = model.does == Does::find_last ? hay[0].text.rfind(static_cast<char>(values[1].off)) : hay[0].text.find(static_cast<char>(values[1].off));
        decided = true;
        if (pos != std::string::npos) at = pos;
      } else if (single && model.name == "strstr") {
        const auto needle = first_text(values[1]);
        if (needle.whole) {
          decided = true;
          const auto pos = hay[0].text.find(needle.text);
          if (pos != std::string::npos) at = pos;
        }
      }
      if (decided) {
        result = at ? binary(sleigh::Op::INT_ADD, values[0], constant(*at, word_), word_, word_) : constant(0, word_);
        result.taint = tables_.taint_union(result.taint, own);
      } else {
        const std::string origin = hay.empty() ? "unknown" : hay[0].whole ? "part" : bare_origin(hay[0].text);
        result = result_symbol(model.name, site, id, origin);
        if (!hay.empty()) result.taint = tables_.taint_union(result.taint, hay[0].taint);
      }
      break;
    }
    case Does::format: {
      const auto* size = value_of(Role::size);
      write_texts(s, values[0], cut(formatted, size, true));
      result = count_of(formatted, values[0]);
      break;
    }
    case Does::format_new: {
      const Value memory = allocate(1024);
      write_texts(s, memory, formatted);
      store(s, values[0], memory, word_);
      result = count_of(formatted, memory);
      break;
    }
    case Does::scan: {
      const Value source = values[0];
      std::string origin = "input";
      std::uint16_t taint = own;
      if (model.name == "sscanf") {
        const auto t = first_text(source);
        origin = t.whole ? "part" : bare_origin(t.text);
        taint = tables_.taint_union(taint, t.taint);
      } else if (model.name == "fscanf") {
        origin = input_origin(&source);
      }
      const auto spec = first_text(values[*format_at]).text;
      for (std::size_t i = 0; i + 1 < spec.size(); ++i) {
        if (spec[i] != '%') continue;
        ++i;
        const bool skipped = spec[i] == '*';
        if (spec[i] == '%') continue;
        if (skipped) ++i;
        while (i < spec.size() && ((spec[i] >= '0' && spec[i] <= '9') || spec[i] == 'l' || spec[i] == 'h' || spec[i] == 'm')) ++i;
        if (i >= spec.size()) break;
        const char conversion = spec[i];
        if (conversion == '[') {
          ++i;
          if (i < spec.size() && spec[i] == '^') ++i;
          if (i < spec.size() && spec[i] == ']') ++i;
          while (i < spec.size() && spec[i] != ']') ++i;
        }
        if (skipped) continue;
        const Value to = next_raw();
        if (conversion == 's' || conversion == '[' || conversion == 'c') {
          if (const auto p = place_of(to); p && (p->base != 0 || p->at > 0x1000)) s.store_text(*p, tables_.text({{"${" + origin + "}", false, taint}}), taint);
        } else {
          Value v = tables_.keyed(fmt::format("scanned {:x} {}", site, i), {Symbol::Kind::result, origin, "", 0, id}, 4);
          v.taint = taint;
          store(s, to, v, 4);
        }
      }
      break;
    }
    case Does::read: case Does::read_line: {
      const auto* fd = value_of(Role::fd);
      const std::string origin = input_origin(fd);
      std::uint16_t taint = own;
      if (fd) taint = tables_.taint_union(taint, fd->taint);
      const auto* size = value_of(Role::size);
      // With an unknown size only the first byte is known to change.
      Value product;  // fread counts elements of a size
      if (model.name == "fread" && values.size() > 2 && values[1].is_const() && values[2].is_const()) product = constant((values[1].off & 0xFFFF) * (values[2].off & 0xFFFF), word_), size = &product;
      const std::uint64_t n = size && size->is_const() ? std::min<std::uint64_t>(size->off & 0xFFFFFFFF, 1024) : model.does == Does::read_line ? 1 : 16;
      if (model.name == "mmap") {
        const Value m = allocate(4096);
        s.store_text(*place_of(m), tables_.text({{"${" + origin + "}", false, taint}}), taint);
        result = m;
        result.taint = taint;
        break;
      }
      for (std::size_t i = 0; i < values.size(); ++i) {
        if (model.args[i] != Role::outbuf && model.args[i] != Role::out) continue;
        Value to = values[i];
        if (model.name == "getline") {
          const Value memory = allocate(512);
          if (i == 0) store(s, to, memory, word_), to = memory;
          else break;
        }
        const auto p = place_of(to);
        if (!p || (p->base == 0 && p->at < 0x1000) || (p->base == 0 && !is_stack(p->at) && !is_heap(p->at) && !elf_.segment_of(p->at))) continue;
        // Each byte behind the first is an unknown of its own, so that a pointer into the middle still tells where it came from.
        const bool ends = model.does == Does::read_line && n > 1;  // fgets: at most n - 1 bytes and the end
        if (ends) s.store_value({p->base, p->at + n - 1}, constant(0, 1), 1, big_);
        for (std::uint64_t k = 1; k < n - (ends ? 1 : 0); ++k) {
          Value byte = tables_.keyed(fmt::format("byte {} of {}", k, origin), {Symbol::Kind::unknown, origin}, 1);
          byte.taint = taint;
          s.store_value({p->base, p->at + k}, byte, 1, big_);
        }
        s.store_text(*p, tables_.text({{"${" + origin + "}", false, taint}}), taint);
        break;  // later ones are lengths and addresses
      }
      for (std::size_t i = 0; i < values.size(); ++i)
        if (const auto p = place_of(values[i]); p && model.args[i] == Role::outsize && (p->base != 0 || p->at > 0x1000)) {
          Value count = result_symbol(model.name, site, id, "");
          count.size = 4;
          store(s, values[i], count, 4);
        }
      result = result_symbol(model.name, site, id, origin);
      result.taint = tables_.taint_union(result.taint, taint);
      break;
    }
    case Does::allocate: {
      std::uint64_t size = 512;
      if (!values.empty() && values[0].is_const()) size = values[0].off & 0xFFFFFFFF;
      if (values.size() > 1 && values[1].is_const()) size *= values[1].off & 0xFFFF;
      result = allocate(size);
      if (model.name == "calloc") {
        const std::vector<std::uint8_t> zero(std::min<std::uint64_t>(size, 4096), 0);
        s.store_bytes({0, result.off}, zero.data(), zero.size());
      }
      break;
    }
    case Does::reallocate: {
      if (values[0].is_const() && values[0].off != 0) result = values[0];
      else result = allocate(512);
      break;
    }
    case Does::free: break;
    case Does::getenv: {
      const auto t = first_text(values[0]);
      result = result_symbol(model.name, site, id, "env:" + (t.whole ? t.text : bare_origin(t.text)));
      break;
    }
    case Does::number_of: {
      const auto t = first_text(values[0]);
      if (t.whole && !t.text.empty()) {
        const int base = model.args.size() > 2 && values[2].is_const() && values[2].off <= 36 ? static_cast<int>(values[2].off) : 10;
        result = constant(static_cast<std::uint64_t>(std::strtoll(t.text.c_str(), nullptr, base == 1 ? 10 : base)) & mask_of(word_), word_, t.taint);
      } else {
        result = result_symbol(model.name, site, id, bare_origin(t.text));
        result.taint = tables_.taint_union(result.taint, t.taint);
      }
      break;
    }
    case Does::network_short: case Does::network_long: {
      const Value v = values[0];
      if (big_) result = v;
      else if (v.is_const())
        result = constant(model.does == Does::network_short ? __builtin_bswap16(static_cast<std::uint16_t>(v.off)) : __builtin_bswap32(static_cast<std::uint32_t>(v.off)), word_, v.taint);
      else result = tables_.derived(0x40000, v, constant(0), Symbol::Kind::unknown, word_);
      break;
    }
    case Does::address_of: case Does::address_into: {
      const std::size_t which = model.name == "inet_pton" ? 1 : 0;
      const auto texts = texts_at(s, values[which]);
      std::vector<Value> parts;
      std::uint16_t taint = own;
      for (const auto& t : texts) {
        taint = tables_.taint_union(taint, t.taint);
        std::uint8_t b[4];
        if (t.whole && literal_address(t.text, b)) {
          const std::uint32_t n = big_ ? static_cast<std::uint32_t>(b[0]) << 24 | static_cast<std::uint32_t>(b[1]) << 16 | static_cast<std::uint32_t>(b[2]) << 8 | b[3]
                                       : static_cast<std::uint32_t>(b[3]) << 24 | static_cast<std::uint32_t>(b[2]) << 16 | static_cast<std::uint32_t>(b[1]) << 8 | b[0];
          parts.push_back(constant(n, 4));
        } else if (t.whole) {
          parts.push_back(constant(0xFFFFFFFF, 4));
        } else {
          parts.push_back(tables_.keyed("address " + t.text, {Symbol::Kind::result, bare_origin(t.text)}, 4));
        }
      }
      Value v = tables_.choice(std::move(parts), 4);
      v.taint = taint;
      if (model.does == Does::address_into) {
        store(s, values.back(), v, 4);
        if (texts.size() == 1 && texts[0].whole) result = constant(1, word_, own);
      } else {
        result = v;
      }
      break;
    }
    case Does::address_text: {
      result = allocate(32);
      if (values[0].is_const()) {
        const std::uint32_t n = big_ ? static_cast<std::uint32_t>(values[0].off) : __builtin_bswap32(static_cast<std::uint32_t>(values[0].off));
        write_texts(s, result, {{fmt::format("{}.{}.{}.{}", n >> 24, n >> 16 & 255, n >> 8 & 255, n & 255), true, 0}});
      } else {
        write_texts(s, result, {{"${" + origin_of(values[0]) + "}", false, values[0].taint}});
      }
      break;
    }
    case Does::open: {
      const auto* path = value_of(Role::path);
      if (path) {
        const auto t = first_text(*path);
        tables_.symbol(result.id).path = t.text;
        result.taint = tables_.taint_union(result.taint, t.taint);
      }
      break;
    }
    case Does::identity: result = values.empty() ? result : values[0]; break;
    case Does::no_return: return std::nullopt;
    case Does::on_signal: {
      Value handler = values.size() > 1 ? values[1] : Value{};
      if (model.name == "sigaction" && !(handler.is_const() && handler.off == 0))
        handler = load(s, binary(sleigh::Op::INT_ADD, handler, constant(elf_.machine == elf::Machine::mips ? 4 : 0, word_), word_, word_), word_);
      if (handler.is_const() && code_target(handler.off) && rooted_.insert(handler.off & ~std::uint64_t{machine_.mode_switch ? 1u : 0u}).second) {
        Root root{handler.off, {values[0].is_const() ? fmt::format("signal:{}", values[0].off & 0xFF) : "signal"}, {}, {values[0]}};
        root.state.push_back(s);
        roots_.push_back(std::move(root));
      }
      break;
    }
    case Does::thread: case Does::at_exit: {
      const auto* callback = value_of(Role::callback);
      std::vector<Value> targets;
      if (callback) targets = callback->kind == Value::Kind::choice ? tables_.parts(callback->id) : std::vector<Value>{*callback};
      for (const auto& t : targets) {
        if (!t.is_const() || !code_target(t.off) || !rooted_.insert(t.off & ~std::uint64_t{machine_.mode_switch ? 1u : 0u}).second) continue;
        Root root{t.off, {model.does == Does::thread ? "thread" : "exit"}, {}, {}};
        if (model.does == Does::thread && values.size() > 3) root.args.push_back(values[3]);
        root.state.push_back(s);
        roots_.push_back(std::move(root));
      }
      break;
    }
    case Does::timer: break;
    case Does::start_main: {
      if (alone_) return std::nullopt;
      Value main = values[0];
      if (elf_.machine == elf::Machine::ppc) {  // the sixth argument points at {small data base, main, ...}
        const Value info = load(s, binary(sleigh::Op::INT_ADD, argument(s, 5), constant(word_, word_), word_, word_), word_);
        if (info.is_const() && code_target(info.off)) main = info;
      }
      for (const auto f : elf_.init_functions) {
        const Body* init = body_at(f, false);
        if (!init || init->blocks.empty()) continue;
        Frame inner;
        inner.return_to = 0xFFFF0, inner.root = {"init"}, inner.context = f, inner.depth = 1;
        State before(s);
        if (!machine_.link.empty()) before.regs[link_.slot] = constant(0xFFFF0, word_), before.regs[link_.slot].size = link_.size;
        else {
          const Value sp = binary(sleigh::Op::INT_SUB, before.regs[stack_.slot], constant(word_, word_), word_, word_);
          before.regs[stack_.slot] = sp;
          store(before, sp, constant(0xFFFF0, word_), word_);
        }
        if (auto after = invoke(*init, std::move(before), inner)) {
          const auto regs = s.regs;
          const auto passed = s.passed;
          s = std::move(*after);
          s.regs = regs;
          s.tested.clear();
        }
      }
      if (!main.is_const()) return std::nullopt;
      const Body* body = body_at(main.off, false);
      if (!body) return std::nullopt;
      rooted_.insert(body->entry);
      Frame inner;
      inner.return_to = 0xFFFF0, inner.root = {"main"}, inner.context = body->entry;
      const auto set = [&](std::size_t i, const Value& v) {
        if (i < arg_regs_.size()) s.regs[arg_regs_[i].slot] = v, s.regs[arg_regs_[i].slot].size = arg_regs_[i].size;
        else store(s, binary(sleigh::Op::INT_ADD, s.regs[stack_.slot], constant(machine_.stack_arguments + i * word_, word_), word_, word_), v, word_);
      };
      if (machine_.link.empty()) store(s, s.regs[stack_.slot], constant(0xFFFF0, word_), word_);
      else s.regs[link_.slot] = constant(0xFFFF0, word_), s.regs[link_.slot].size = link_.size;
      set(0, tables_.keyed("argc", {Symbol::Kind::param, "argc"}, word_));
      set(1, tables_.keyed("argv", {Symbol::Kind::param, "argv"}, word_));
      set(2, tables_.keyed("envp", {Symbol::Kind::param, "envp"}, word_));
      invoke(*body, std::move(s), inner);
      return std::nullopt;
    }
  }
  if (model.returns == "arg0" && !values.empty()) result = values[0];
  if (model.returns == "arg1" && values.size() > 1) result = values[1];
  if (model.returns == "arg2" && values.size() > 2) result = values[2];
  (void)name;
  // The arguments' registers do not survive a call.
  for (const auto& r : arg_regs_)
    if (r.slot != result_.slot && r.slot < s.regs.size() && !raw) s.regs[r.slot] = {0, 0, 0, Value::Kind::symbol, r.size};
  set_result(s, result);
  return s;
}

}  // namespace flow
