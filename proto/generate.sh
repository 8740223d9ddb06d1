#!/usr/bin/env bash
# Rewrites everything that is generated from proto/: C by protoc-gen-c, Swift by proto/generator.
#
#   proto/generate.sh           generates
#   proto/generate.sh --check   generates aside and fails when the committed code differs
#
# GOOGLEAPIS_PROTOS   folder with google/api/*.proto; by default the Python package
#                     googleapis-common-protos is installed into .tools/googleapis
# GENERATOR_SCRATCH   build folder of the generator
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD

googleapis_version=1.76.0
well_known=(google/protobuf/{any,duration,empty,field_mask,struct,timestamp,wrappers}.proto)

fail() {
  echo "generate: $*" >&2
  exit 1
}

command -v protoc >/dev/null || fail "protoc is missing (Debian: protobuf-compiler)"
command -v protoc-gen-c >/dev/null || fail "protoc-gen-c is missing (Debian: protobuf-c-compiler)"
# Another version writes other code: the check for differences would never pass.
[[ $(protoc --version) == "libprotoc 3.21.12" ]] ||
  fail "protoc must be version 3.21.12 (Debian 12), not $(protoc --version)"
[[ $(protoc-c --version 2>/dev/null) == *"protobuf-c 1.4.1"* ]] ||
  fail "protoc-gen-c must be version 1.4.1 (Debian 12)"

googleapis=${GOOGLEAPIS_PROTOS:-}
if [[ -z $googleapis ]]; then
  venv=$root/.tools/googleapis
  googleapis=$venv/protos
  if [[ ! -f $googleapis/$googleapis_version ]]; then
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet --no-deps --target "$googleapis" \
      "googleapis-common-protos==$googleapis_version"
    touch "$googleapis/$googleapis_version"
  fi
fi
[[ -f $googleapis/google/api/http.proto ]] || fail "no google/api/http.proto in $googleapis"

build=(swift build --package-path proto/generator)
[[ -n ${GENERATOR_SCRATCH:-} ]] && build+=(--scratch-path "$GENERATOR_SCRATCH")
"${build[@]}" --product protoc-gen-oneshot
plugin=$("${build[@]}" --show-bin-path)/protoc-gen-oneshot

output=$(mktemp -d)
trap 'rm -rf "$output"' EXIT
# Debian's protoc finds google/protobuf beside itself.
include=$(dirname "$(dirname "$(readlink -f "$(command -v protoc)")")")/include

generate() {
  local set=$1
  shift
  protoc -I proto -I "$googleapis" -I "$include" \
    --plugin=protoc-gen-oneshot="$plugin" \
    --oneshot_opt="set=$set" --oneshot_out="$output" "$@"
}

# Paths below proto/, sorted: the order of files must not depend on the file system.
files() {
  (cd proto && find "$1" -name '*.proto' | LC_ALL=C sort)
}

mapfile -t grpc < <(files grpc | grep -v ^grpc/testing/)
mapfile -t interop < <(files grpc/testing)
mapfile -t echo < <(files oneshot/echo)
mapfile -t sample < <(files oneshot/sample)
mapfile -t api < <(files oneshot | grep -v -e ^oneshot/echo/ -e ^oneshot/sample/)
generate wellknown google/protobuf/descriptor.proto "${well_known[@]}"
generate rpc google/rpc/{code,status,error_details}.proto "${grpc[@]}"
generate oneshot "${api[@]}"
generate echo "${echo[@]}"
generate interop "${interop[@]}"
generate test "${sample[@]}"

directories=(
  Sources/Protobuf/Generated Sources/CProtobufWellKnown
  Sources/RPC/Generated Sources/CRPCProtos
  Sources/OneShotAPI/Generated Sources/COneShotAPI
  Sources/EchoAPI/Generated Sources/CEchoAPI
  Tests/Interop/InteropAPI/Generated Tests/Interop/CInteropAPI
  Tests/Protos/TestProtos Tests/Protos/CTestProtos
)
if [[ ${1:-} == --check ]]; then
  for directory in "${directories[@]}"; do
    diff -r "$directory" "$output/$directory" ||
      fail "$directory differs from proto/; run make generate and commit the result"
  done
  echo "generate: the committed code is what proto/ says"
  exit 0
fi
for directory in "${directories[@]}"; do
  mkdir -p "$directory"
  # Unchanged files keep their times, so that nothing is built again for them.
  (cd "$output/$directory" && find . -type f) | while read -r file; do
    cmp -s "$output/$directory/$file" "$directory/$file" ||
      install -D -m 644 "$output/$directory/$file" "$directory/$file"
  done
  (cd "$directory" && find . -type f) | while read -r file; do
    [[ -f $output/$directory/$file ]] || rm "$directory/$file"
  done
done
