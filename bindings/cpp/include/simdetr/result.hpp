// Errors without and with exceptions, and a borrowed range: what simdetr.hpp is made of.
//
// Nothing here changes with the language mode, so that objects compiled as C++17 and C++20, with and
// without exceptions, can be linked into one program.
#ifndef SIMDETR_RESULT_HPP
#define SIMDETR_RESULT_HPP

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <optional>
#include <type_traits>
#include <utility>

#include "simdetr.h"

#if defined(__cpp_exceptions) || defined(__EXCEPTIONS) || defined(_CPPUNWIND)
#define SIMDETR_HAS_EXCEPTIONS 1
#else
#define SIMDETR_HAS_EXCEPTIONS 0
#endif

// What `value()` of a failed result does. May be defined before this header is included.
#ifndef SIMDETR_THROW
#if SIMDETR_HAS_EXCEPTIONS
#define SIMDETR_THROW(failure) throw(failure)
#else
#define SIMDETR_THROW(failure) ::simdetr::detail::stop(failure)
#endif
#endif

namespace simdetr {

// What went wrong: a status of simdetr.h and one sentence with the numbers.
class error : public std::exception {
 public:
  error() noexcept : raw_{} {}
  error(simdetr_status_t status, const char *message) noexcept : raw_{} {
    raw_.status = status;
    std::snprintf(raw_.message, sizeof raw_.message, "%s", message);
  }

  simdetr_status_t status() const noexcept { return raw_.status; }
  const char *message() const noexcept { return raw_.message; }
  const char *name() const noexcept { return simdetr_status_name(raw_.status); }
  const char *what() const noexcept override { return raw_.message; }

  // Where a C function writes its error.
  simdetr_error_t *out() noexcept { return &raw_; }

 private:
  simdetr_error_t raw_;
};

namespace detail {
[[noreturn]] inline void stop(const error &failure) noexcept {
  std::fprintf(stderr, "simdetr: %s: %s\n", failure.name(), failure.message());
  std::abort();
}
}  // namespace detail

// A value or an error.
template <class T>
class [[nodiscard]] result {
 public:
  result(T value) : value_(std::move(value)) {}            // NOLINT: conversions are the point
  result(error failure) noexcept : failure_(failure) {}    // NOLINT

  bool ok() const noexcept { return value_.has_value(); }
  explicit operator bool() const noexcept { return ok(); }
  const error &failure() const noexcept { return failure_; }

  // The value; a failed result throws its error, or stops the program without exceptions.
  T &value() & {
    if (!ok()) SIMDETR_THROW(failure_);
    return *value_;
  }
  T value() && {
    if (!ok()) SIMDETR_THROW(failure_);
    return std::move(*value_);
  }
  T &operator*() & { return value(); }
  T operator*() && { return std::move(*this).value(); }
  T *operator->() { return &value(); }

 private:
  std::optional<T> value_;
  error failure_;
};

template <>
class [[nodiscard]] result<void> {
 public:
  result() noexcept = default;
  result(error failure) noexcept : failure_(failure) {}  // NOLINT

  bool ok() const noexcept { return failure_.status() == SIMDETR_OK; }
  explicit operator bool() const noexcept { return ok(); }
  const error &failure() const noexcept { return failure_; }
  void value() const {
    if (!ok()) SIMDETR_THROW(failure_);
  }

 private:
  error failure_;
};

// A borrowed range: anything with data() and size() converts to it.
template <class T>
class span {
 public:
  constexpr span() noexcept = default;
  constexpr span(T *data, std::size_t size) noexcept : data_(data), size_(size) {}
  template <class C,
            class = std::enable_if_t<std::is_convertible_v<
                decltype(std::declval<C &>().data()), T *>>,
            class = decltype(std::declval<C &>().size())>
  constexpr span(C &&range) noexcept : data_(range.data()), size_(range.size()) {}  // NOLINT

  constexpr T *data() const noexcept { return data_; }
  constexpr std::size_t size() const noexcept { return size_; }
  constexpr bool empty() const noexcept { return size_ == 0; }
  constexpr T *begin() const noexcept { return data_; }
  constexpr T *end() const noexcept { return data_ + size_; }
  constexpr T &operator[](std::size_t index) const noexcept { return data_[index]; }

 private:
  T *data_ = nullptr;
  std::size_t size_ = 0;
};

// The sole owner of a C handle.
template <class C, void (*Destroy)(C *)>
class handle {
 public:
  handle() noexcept = default;
  handle(handle &&other) noexcept : raw_(other.release()) {}
  handle &operator=(handle &&other) noexcept {
    if (this != &other) {
      Destroy(raw_);
      raw_ = other.release();
    }
    return *this;
  }
  handle(const handle &) = delete;
  handle &operator=(const handle &) = delete;
  ~handle() { Destroy(raw_); }

  C *get() const noexcept { return raw_; }
  C *release() noexcept { return std::exchange(raw_, nullptr); }
  explicit operator bool() const noexcept { return raw_ != nullptr; }

 protected:
  explicit handle(C *raw) noexcept : raw_(raw) {}

 private:
  C *raw_ = nullptr;
};

namespace detail {
// A struct of the C header with its size filled in and everything else zero.
template <class T>
T sized() noexcept {
  T value{};
  value.struct_size = sizeof value;
  return value;
}

// The same by the C header's own function, which is where defaults come from.
template <class T>
T defaults(void (*init)(T *, std::size_t)) noexcept {
  T value;
  init(&value, sizeof value);
  return value;
}

// What a call that has a capacity and a count gives: asked for its size, then filled.
template <class T, class Call>
simdetr_status_t filled(T &values, Call &&call) {
  std::size_t count = 0;
  auto *none = static_cast<typename T::value_type *>(nullptr);
  if (simdetr_status_t status = call(none, std::size_t{0}, &count); status != SIMDETR_OK) {
    return status;
  }
  values.resize(count);
  return call(values.data(), count, &count);
}
}  // namespace detail

}  // namespace simdetr

#endif  // SIMDETR_RESULT_HPP
