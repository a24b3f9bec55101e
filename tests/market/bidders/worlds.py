"""Strategies of Hypothesis for bidders: storages, horizons and accounts, in small numbers and in real ones."""

from hypothesis import strategies as st

from market.bidders.preferences import Goal, Preferences
from market.bidding import Account, Deferrable, Flexibility, Storage
from market.forecast import Outlook, PriceForecast

DAY = 4
prices = st.integers(0, 500_000)
energies = st.just(0) | st.integers(1, 10**7)
storages = st.builds(
    Storage,
    room=energies,
    stored=energies,
    most_charge=energies,
    most_discharge=energies,
    efficiency_ppm=st.sampled_from([500_000, 810_000, 900_000, 1_000_000]),
    wear=st.sampled_from([0, 20_000]),
)
preferences = st.builds(
    Preferences,
    goal=st.sampled_from(list(Goal)),
    floor=st.none() | prices,
    cap=st.none() | prices,
)
accounts = st.tuples(prices, prices, energies, energies).map(
    lambda drawn: Account(max(drawn[:2]), min(drawn[:2]), drawn[2], drawn[3])
)
generous = accounts.map(lambda account: Account(account.import_price, account.export_price, 2**40, 2**40))
deferrables = st.lists(
    st.builds(Deferrable, energy=energies, intervals=st.integers(1, 8), most=energies), max_size=3
).map(tuple)


@st.composite
def outlooks(draw: st.DrawFn) -> Outlook:
    """One interval: prices within the tariff, certain or not, and a surplus, certain or not."""
    export_price, import_price = sorted((draw(prices), draw(prices)))
    between = st.lists(st.integers(export_price, import_price), min_size=5, max_size=5).map(sorted)
    local = draw(st.booleans())
    place = tuple(float(each) for each in draw(between)) if local else None
    count = draw(st.sampled_from([1, 5]))
    surplus = sorted(draw(st.lists(st.integers(-(10**7), 10**7), min_size=count, max_size=count)))
    return Outlook(
        import_price=import_price,
        export_price=export_price,
        buy=place or (float(import_price),),
        sell=place or (float(export_price),),
        surplus=tuple(float(each) for each in surplus),
        carbon=float(draw(st.integers(0, 500))),
    )


horizons = st.lists(outlooks(), min_size=1, max_size=6).map(tuple)


@st.composite
def flexibilities(draw: st.DrawFn) -> Flexibility:
    """What a member can do, consistent in itself."""
    storage = draw(st.none() | storages)
    return Flexibility(
        load=draw(energies),
        generation=draw(energies),
        charge=0 if storage is None else min(storage.room, storage.most_charge),
        discharge=0 if storage is None else min(storage.stored, storage.most_discharge),
        efficiency_ppm=1_000_000 if storage is None else storage.efficiency_ppm,
        interval=draw(st.integers(0, 10**6)),
        storage=storage,
        deferrable=draw(deferrables),
    )


forecasts = st.tuples(prices, prices, horizons | st.just(())).map(
    lambda drawn: PriceForecast(min(drawn[:2]), max(drawn[:2]), drawn[2])
)
