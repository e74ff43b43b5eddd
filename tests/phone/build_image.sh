#!/usr/bin/env bash
# build_image.sh FOLDER: write the phone's kernel, initrd.gz, disk.img and battery.aml there.
# Everything comes from the Debian mirror that this machine already uses; nothing is installed.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
suite=trixie # its adbd is 34; Debian 12 has none
cd "$1"

# apt with lists and a cache of its own, on the first Debian mirror among the machine's sources
mirror=$(apt-get indextargets --format '$(REPO_URI) $(RELEASE)' 'Identifier: Packages' |
  awk '$2 ~ /^(bookworm|trixie|forky|sid|stable|testing)$/ { print $1; exit }')
if [ -z "$mirror" ]; then
  echo "build_image: no Debian mirror among this machine's apt sources" >&2
  exit 1
fi
mkdir -p apt/lists/partial apt/cache/archives/partial
: >apt/status
echo "deb [arch=amd64 signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $suite main" \
  >apt/sources.list
options=(-qq -oAPT::Sandbox::User="$(id -un)" -oAPT::Architecture=amd64 -oAcquire::Languages=none
  -oDir::State::Lists="$PWD/apt/lists" -oDir::State::status="$PWD/apt/status"
  -oDir::Cache="$PWD/apt/cache" -oDir::Etc::sourcelist="$PWD/apt/sources.list"
  -oDir::Etc::sourceparts=- -oDebug::NoLocking=1)
apt-get "${options[@]}" update
apt-get "${options[@]}" -d -y --no-install-recommends install adbd busybox-static dash iproute2 >/dev/null
kernel=$(apt-cache "${options[@]}" depends linux-image-amd64 | sed -n 's/.*Depends: \(linux-image-.*\)/\1/p')

mkdir -p linux
(cd linux && apt-get "${options[@]}" download "$kernel")
# most of the modules are for hardware that QEMU does not emulate; without them depmod is quick
dpkg-deb --fsys-tarfile linux/"$kernel"_*.deb | tar -x -C linux --wildcards \
  --exclude='*/sound/*' --exclude='*/drivers/[^abcnv]*' --exclude='*/drivers/net/*/*'
version=${kernel#linux-image-}
[ -d linux/lib ] || ln -s usr/lib linux/lib
cp "linux/boot/vmlinuz-$version" kernel
/sbin/depmod -b linux "$version"

# root file system
mkdir -p root/usr/{bin,sbin,lib,lib64} root/{dev,proc,sys,data/local/tmp,sdcard,tmp,etc,run,system}
for folder in bin sbin lib lib64; do ln -s "usr/$folder" "root/$folder"; done
for package in apt/cache/archives/*.deb; do dpkg -x "$package" root; done
ln -s ../bin root/system/bin
for applet in $(root/usr/bin/busybox --list); do
  [ -e "root/usr/bin/$applet" ] || [ -e "root/usr/sbin/$applet" ] || ln -s busybox "root/usr/bin/$applet"
done
rm -rf root/usr/share/{doc,man,locale,info} root/var/lib/dpkg
echo 'root:x:0:0:root:/:/bin/sh' >root/etc/passwd
echo 'root:x:0:' >root/etc/group
install -m 755 "$here"/guest/{getprop,dumpsys,ending_sh} root/usr/bin/
install -m 755 "$here/guest/start" root/start
install -m 644 "$here/guest/build.prop" root/system/build.prop
truncate -s 600M disk.img
/sbin/mke2fs -q -t ext4 -m 0 -E root_owner=0:0 -O ^metadata_csum -d root disk.img

# initramfs: busybox and the few drivers that are modules
mkdir -p initrd/{bin,proc,sys,dev,newroot,lib}
cp root/usr/bin/busybox initrd/bin/
ln -s busybox initrd/bin/sh
install -m 755 "$here/guest/init" initrd/init
for module in virtio_pci virtio_blk virtio_net virtio_balloon ext4 sch_tbf sch_netem battery ac; do
  /sbin/modprobe -d linux -S "$version" --show-depends "$module"
done | awk '$1 == "insmod" && !seen[$2]++ { print $2 }' | while read -r file; do
  cp "$file" initrd/lib/
  name=$(basename "$file")
  case $name in *.xz) xz -d "initrd/lib/$name" && name=${name%.xz} ;; esac
  echo "$name" >>initrd/modules
done
(cd initrd && find . | cpio --quiet -o -H newc | gzip -1 >../initrd.gz)

iasl -p battery "$here/guest/battery.asl" >/dev/null 2>&1
rm -rf apt linux root initrd
