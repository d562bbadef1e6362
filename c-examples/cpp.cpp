// SPDX-License-Identifier: Apache-2.0
//
// cpp - run.c as a C++ programmer writes it: handles that let go by themselves, and exceptions.
//
//     c++ -std=c++17 -o cpp cpp.cpp $(pkg-config --cflags --libs brig)
//     ./cpp BUNDLE
//
// The classes are all that it takes; they may be copied into a program.
#include <cstdio>
#include <memory>
#include <stdexcept>
#include <string>
#include <unistd.h>

#include <brig.h>

namespace {

// What a call that fails says: a status, an errno, the field of config.json, a text.
class Error : public std::runtime_error {
public:
    Error(brig_status status, brig_error *error)
        : std::runtime_error(brig_error_message(error)), status(status), number(brig_error_errno(error)),
          pointer(brig_error_pointer(error) ? brig_error_pointer(error) : "")
    {
        brig_error_free(error);
    }

    brig_status status;
    int number;
    std::string pointer;
};

// Calls a function that takes an error last, and throws what it says.
template <typename Function, typename... Arguments> void call(Function function, Arguments... arguments)
{
    brig_error *error = nullptr;
    brig_status status = function(arguments..., &error);
    if (status != BRIG_OK)
        throw Error(status, error);
}

struct Unref {
    void operator()(brig_runtime *it) const { brig_runtime_unref(it); }
    void operator()(brig_container *it) const { brig_container_unref(it); }
    void operator()(brig_process *it) const { brig_process_unref(it); }
};

template <typename Object> using Handle = std::unique_ptr<Object, Unref>;

// The same for a function that stores an object: it is the last argument but the error.
template <typename Object, typename Function, typename... Arguments>
Handle<Object> make(Function function, Arguments... arguments)
{
    Object *object = nullptr;
    call(function, arguments..., &object);
    return Handle<Object>(object);
}

// A container that is gone at the end of its scope, whatever happens before.
class Container {
public:
    Container(brig_runtime *runtime, const std::string &id, const brig_create_options &options)
        : container(make<brig_container>(brig_container_create, runtime, id.c_str(), &options))
    {
    }
    Container(const Container &) = delete;
    Container &operator=(const Container &) = delete;
    ~Container() { brig_container_delete(container.get(), BRIG_DELETE_FORCE, nullptr); }

    void start() { call(brig_container_start, container.get()); }

    int wait()
    {
        auto init = make<brig_process>(brig_container_init, container.get());
        brig_exit end = BRIG_INIT(brig_exit);
        call(brig_process_wait, init.get(), -1, &end);
        return end.signal ? 128 + end.signal : end.code;
    }

private:
    Handle<brig_container> container;
};

} // namespace

int main(int argc, char **argv)
{
    if (argc != 2) {
        std::fprintf(stderr, "usage: cpp BUNDLE\n");
        return 1;
    }
    try {
        auto runtime = make<brig_runtime>(brig_runtime_open, nullptr);
        auto options = BRIG_INIT(brig_create_options);
        options.bundle = argv[1];
        Container container(runtime.get(), "cpp-" + std::to_string(getpid()), options);
        container.start();
        int status = container.wait();
        std::fprintf(stderr, "cpp: ended with %d\n", status);
        return status;
    } catch (const Error &error) {
        std::fprintf(stderr, "cpp: %s (status %d, field \"%s\")\n", error.what(), error.status, error.pointer.c_str());
        return 1;
    }
}
