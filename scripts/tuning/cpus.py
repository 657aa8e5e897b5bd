"""CPU numbers as the kernel writes them: lists ("0,2-4") and masks ("ff,00000001")."""


def parse_list(text):
    """A sorted list of numbers; ValueError when it is none."""
    found = set()
    for part in text.strip().split(','):
        if part:
            first, _, last = part.partition('-')
            low, high = int(first), int(last or first)
            if high < low:
                raise ValueError(f'{part}: ends before it begins')
            found.update(range(low, high + 1))
    return sorted(found)


def list_text(cpus):
    parts, cpus = [], sorted(set(cpus))
    while cpus:
        run = 1
        while run < len(cpus) and cpus[run] == cpus[0] + run:
            run += 1
        parts.append(str(cpus[0]) if run == 1 else f'{cpus[0]}-{cpus[run - 1]}')
        cpus = cpus[run:]
    return ','.join(parts)


def parse_mask(text):
    bits = int(text.strip().replace(',', '') or '0', 16)
    return [cpu for cpu in range(bits.bit_length()) if bits >> cpu & 1]


def mask_text(cpus):
    """Groups of 32 bits, as every kernel takes them."""
    text = format(sum(1 << cpu for cpu in set(cpus)), 'x')
    groups = []
    while text:
        groups.insert(0, text[-8:])
        text = text[:-8]
    return ','.join(groups)
