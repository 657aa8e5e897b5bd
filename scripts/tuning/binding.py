"""A card's driver: to vfio-pci for DPDK, and back to the kernel's, through driver_override."""
from tuning.nics import carriers
from tuning.settings import KINDS, Refused, Setting

DRIVERS = 'sys/bus/pci/drivers'
NOIOMMU = 'sys/module/vfio/parameters/enable_unsafe_noiommu_mode'


def bind(host, pci, override, driver):
    files, device = host.files, f'sys/bus/pci/devices/{pci}'
    files.write(f'{device}/driver_override', override + '\n')
    now = files.link(f'{device}/driver')
    if now and now != driver:
        files.write(f'{DRIVERS}/{now}/unbind', pci + '\n')
    if driver and files.link(f'{device}/driver') != driver:
        files.write('sys/bus/pci/drivers_probe', pci + '\n')
    if files.link(f'{device}/driver') != driver:
        raise Refused(f'{pci}: the kernel did not give it to {driver}; see dmesg')


class Driver(Setting):
    kind = 'driver'

    def __init__(self, host, pci, driver):
        self.pci = pci
        super().__init__(host, pci, 'driver', driver, 'DPDK polls it from user space')
        self.key = f'driver:{pci}'

    def now(self):
        return self.host.files.link(f'sys/bus/pci/devices/{self.pci}/driver')

    def save(self):
        override = self.host.files.read(f'sys/bus/pci/devices/{self.pci}/driver_override')
        return {'kind': self.kind, 'pci': self.pci, 'driver': self.now(),
                'override': '' if override in (None, '(null)') else override}

    def apply(self):
        bind(self.host, self.pci, self.wanted, self.wanted)

    @staticmethod
    def restore(host, entry, force):
        bind(host, entry['pci'], entry['override'], entry['driver'])


def check(host, nic, force):
    """Refuses what would cut the operator off or cannot work. Gives remarks."""
    notes = []
    why = carriers(host).get(nic.name)
    if why and not force:
        raise Refused(f'{nic.name} ({nic.pci}) would vanish from the kernel, but {why}; --force does it all the same')
    if nic.driver and nic.driver.startswith('mlx') and not force:
        raise Refused(f'{nic.name}: DPDK drives {nic.driver} cards beside the kernel; leave the driver as it is')
    if not host.files.exists(f'{DRIVERS}/vfio-pci'):
        raise Refused('vfio-pci is not loaded: `modprobe vfio-pci`')
    if nic.group is None:
        if host.files.read(NOIOMMU) != 'Y':
            raise Refused(f'{nic.pci} is in no IOMMU group: boot with intel_iommu=on (Intel) or switch the IOMMU on in the '
                          f'firmware, or, where there is none, `echo Y > /{NOIOMMU}`, without protection of memory')
        notes.append(f'{nic.pci} goes without an IOMMU: the card can write anywhere in memory')
    others = [p for p in host.files.list(f'sys/kernel/iommu_groups/{nic.group}/devices') if p != nic.pci]
    if others:
        notes.append(f'{nic.pci} shares IOMMU group {nic.group} with {", ".join(others)}: all of them have to leave the kernel')
    return notes


KINDS[Driver.kind] = Driver
