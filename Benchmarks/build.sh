# Builds the peers of the benchmarks; sourced. One function a peer, each cheap when nothing changed.
# shellcheck shell=bash

# quietly <what> <command…>: shows the output of a command only when it fails.
quietly() {
  local what=$1 log=$BUILD/build.log
  shift
  "$@" >"$log" 2>&1 && return
  echo "error: building $what failed" >&2
  tail -n 40 "$log" >&2
  exit 1
}

# is_newer <target> <source…>: whether the target is there and newer than its sources.
is_newer() {
  local target=$1 source
  shift
  [ -e "$target" ] || return 1
  for source in "$@"; do [ "$target" -nt "$source" ] || return 1; done
}

# The schema without our options, and what the load and the check need.
build_load() {
  local schema=$ROOT/proto/oneshot/echo/v1/echo.proto proto=$BUILD/proto
  mkdir -p "$proto"
  "$ROOT/deploy/scripts/deps.sh"
  if ! is_newer "$proto/echo_pb2.py" "$schema" "$HERE/strip_options.py"; then
    python3 "$HERE/strip_options.py" "$schema" >"$proto/echo.proto"
    quietly schema protoc -I "$proto" --c_out="$proto" --python_out="$proto" echo.proto
  fi
  is_newer "$BUILD/client_certificate.so" "$HERE/client_certificate.c" ||
    quietly client_certificate gcc -O2 -Wall -Wextra -Werror -shared -fPIC \
      -o "$BUILD/client_certificate.so" "$HERE/client_certificate.c" -lssl
}

build_c() {
  is_newer "$BUILD/echod" "$HERE/CFloor/echod.c" "$BUILD/proto/echo.proto" ||
    quietly echod gcc -O2 -Wall -Wextra -Werror -I "$BUILD/proto" -o "$BUILD/echod" \
      "$HERE/CFloor/echod.c" "$BUILD/proto/echo.pb-c.c" -lnghttp2 -lprotobuf-c -lssl -lcrypto
}

build_ours() {
  quietly EchoServer "$ROOT/deploy/scripts/swift_release.sh" --package-path "$ROOT" --product EchoServer
}

build_cpp() {
  "$ROOT/deploy/scripts/deps.sh" libgrpc++-dev protobuf-compiler-grpc
  is_newer "$BUILD/grpc-cpp" "$HERE/GRPCCpp/echo.cc" "$BUILD/proto/echo.proto" && return
  quietly grpc-cpp protoc -I "$BUILD/proto" --cpp_out="$BUILD/proto" --grpc_out="$BUILD/proto" \
    --plugin=protoc-gen-grpc="$(command -v grpc_cpp_plugin)" echo.proto
  # shellcheck disable=SC2046
  quietly grpc-cpp g++ -std=c++17 -O2 -I "$BUILD/proto" -o "$BUILD/grpc-cpp" "$HERE/GRPCCpp/echo.cc" \
    "$BUILD/proto/echo.pb.cc" "$BUILD/proto/echo.grpc.pb.cc" $(pkg-config --libs grpc++ protobuf)
}

# As Swift links by default: the goals are written in its figures.
build_swift() {
  quietly grpc-swift swift build -c release --package-path "$HERE/GRPCSwift" \
    --scratch-path "$BUILD/grpc-swift" --product GRPCSwiftEcho
}

# Linked as ours is.
build_swift-static() {
  quietly grpc-swift-static "$ROOT/deploy/scripts/swift_release.sh" --package-path "$HERE/GRPCSwift" \
    --product GRPCSwiftEcho
}

# Runs in the Python environment of the end-to-end tests.
build_python() { :; }

# What runs a server instruction by instruction.
build_step() {
  [ "$(uname -m)" = x86_64 ] ||
    { echo "error: single steps are counted on x86-64 only, this machine is $(uname -m)" >&2; exit 1; }
  is_newer "$BUILD/step" "$HERE/Steps/step.c" ||
    quietly step gcc -O2 -Wall -Wextra -Werror -o "$BUILD/step" "$HERE/Steps/step.c"
}

# Another build of EchoServer, to compare a change with.
build_base() {
  [ -x "${BASELINE:-}" ] || { echo "error: BASELINE must name the EchoServer to compare with" >&2; exit 1; }
}
