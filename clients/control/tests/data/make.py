"""Makes the MMDB files beside it. Needs `pip install mmdb_writer==0.2.7 netaddr`."""
from pathlib import Path

from mmdb_writer import MMDBWriter
from netaddr import IPSet

here = Path(__file__).parent


def make(name, kind, version, networks):
    writer = MMDBWriter(version, kind, description="For tests", ipv4_compatible=version == 6)
    for network, record in networks.items():
        writer.insert_network(IPSet([network]), record)
    writer.to_db_file(str(here / name))


make("nested.mmdb", "Country-Test", 6, {
    "8.8.8.0/24": {"country": {"iso_code": "SE", "names": {"en": "Kingdom of Sweden"}}},
    "9.9.9.0/24": {"country": {"iso_code": "QX", "names": {"en": "Quakeland"}}},
    "1.1.1.0/24": {"registered_country": {"iso_code": "NO"}},
    "5.5.5.0/24": {"continent": {"code": "EU"}},
    "2001:4860::/32": {"country": {"iso_code": "FI"}},
})
make("flat.mmdb", "Country-Test-Flat", 4, {"8.8.8.0/24": {"country_code": "DK"}})
make("asn.mmdb", "ASN-Test", 4, {"8.8.8.0/24": {"autonomous_system_number": 15169}})
