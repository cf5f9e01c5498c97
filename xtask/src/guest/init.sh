#!/bin/busybox sh
# The first process of the guest: gives two PCI devices to an ordinary user and runs the tests as that user.
# A line `@@ PASS name` or `@@ FAIL name` for each; the harness counts them.
B=/bin/busybox
$B mount -t proc proc /proc
$B mount -t sysfs sysfs /sys
$B mount -t devtmpfs dev /dev
$B --install -s /bin
export PATH=/bin HOME=/tmp NO_COLOR=1
for module in irqbypass vfio vfio_virqfd vfio_iommu_type1 vfio-pci-core vfio-pci; do
    [ -f /modules/$module.ko ] && insmod /modules/$module.ko
done

# The device with these vendor and device numbers.
find_device() {
    for device in /sys/bus/pci/devices/*; do
        [ "$(cat $device/vendor):$(cat $device/device)" = "$1" ] && basename $device
    done
}
CARD=$(find_device 0x10ee:0x4d41)
EDU=$(find_device 0x1234:0x11e8)

# test_ok NAME COMMAND: passes when the command succeeds.
test_ok() {
    name=$1; shift
    echo "-- $name: $*"
    if "$@" 2>/tmp/said; then echo "@@ PASS $name"; else cat /tmp/said; echo "@@ FAIL $name"; fi
}
# test_fails NAME TEXT COMMAND: passes when the command fails and says TEXT.
test_fails() {
    name=$1; text=$2; shift 2
    echo "-- $name: $*"
    if "$@" >/tmp/said 2>&1; then verdict=FAIL
    elif tr '\n' ' ' </tmp/said | sed 's/ *│ */ /g' | grep -q "$text"; then verdict=PASS
    else verdict=FAIL; fi
    [ $verdict = PASS ] || cat /tmp/said
    echo "@@ $verdict $name"
}
user() { su user -c "$*"; }

if [ -n "$CARD" ]; then
    test_fails unbound "first broken link is: driver" mattock doctor pci $CARD
    test_ok bind mattock bind $CARD
    GROUP=/dev/vfio/$(basename $(readlink /sys/bus/pci/devices/$CARD/iommu_group))
    test_fails permissions "first broken link is: permissions" user mattock doctor pci $CARD
    chown user $GROUP
    test_ok doctor user mattock doctor pci $CARD
    test_ok selftest user mattock selftest --card pci:$CARD
    test_ok gemm user mattock gemm --card pci:$CARD --m 33 --n 50 --k 65 --json
    test_ok resident user mattock gemm --card pci:$CARD --m 16 --n 16 --k 32 --resident --json
    test_ok spgemm user mattock spgemm /data/karate.mtx.gz --card pci:$CARD --json
    test_fails out-of-memory "out of memory" user mattock gemm --card pci:$CARD?memory=65536 --m 256 --n 256 --k 256
    test_fails locked-memory "ulimit -l" user "ulimit -l 1024; mattock doctor pci $CARD"
    test_fails busy "in use by another process" user "exec 3<>$GROUP; mattock gemm --card pci:$CARD"
    test_fails no-such-card "no card at" user mattock gemm --card pci:0000:77:00.0
    test_ok gemm-again user mattock gemm --card pci:$CARD --m 8 --n 8 --k 8 --json
    test_ok unbind mattock unbind $CARD
    test_fails given-back "first broken link is: driver" mattock doctor pci $CARD
fi
if [ -n "$EDU" ]; then
    test_ok edu-bind mattock bind $EDU
    chown user /dev/vfio/$(basename $(readlink /sys/bus/pci/devices/$EDU/iommu_group))
    test_ok edu user edu $EDU
    test_fails edu-is-no-card "not a Mattock card\|first broken link" user mattock doctor pci $EDU
fi
dmesg | grep -i "dmar.*fault" | tail -n 3
echo "@@ END card=$CARD edu=$EDU"
poweroff -f
