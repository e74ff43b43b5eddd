#!/usr/bin/env bash
# create_avd.sh IMAGE AVD...: install the emulator and IMAGE of the Android SDK, create the AVDs.
set -euo pipefail
tools="${ANDROID_HOME:?name the Android SDK}/cmdline-tools/latest/bin"
mkdir -p "${ANDROID_AVD_HOME:?name the folder of AVDs}"
image=$1
shift
# `yes` is ended by SIGPIPE when all questions are answered
(set +o pipefail; yes | "$tools/sdkmanager" --licenses >/dev/null)
"$tools/sdkmanager" --install emulator platform-tools "$image" >/dev/null
for avd; do
  echo no | "$tools/avdmanager" create avd --force --name "$avd" --package "$image" --device pixel_4
done
