-- What may be stored: units, types and their properties (D4.1, table 3). Data, not code: a site adds its own type,
-- property or unit in one row of the catalog; rows that are there already are left as they are.

-- ---- units ----
-- value in the base unit = (value + offset) * numerator / denominator * 10^exponent. prefixes = 1: every SI prefix too.
-- Units of one dimension convert into each other. What is not here (ppm) is kept as text and never converts.
INSERT OR IGNORE INTO unit(name, dimension, numerator, denominator, exponent, offset, prefixes) VALUES
  ('J',       'energy',            1,    1,  0, '0',      1),
  ('Wh',      'energy',            36,   1,  2, '0',      1),  -- 3600 J
  ('varh',    'reactive energy',   1,    1,  0, '0',      1),
  ('VAh',     'apparent energy',   1,    1,  0, '0',      1),
  ('W',       'power',             1,    1,  0, '0',      1),
  ('var',     'reactive power',    1,    1,  0, '0',      1),
  ('VA',      'apparent power',    1,    1,  0, '0',      1),
  ('V',       'voltage',           1,    1,  0, '0',      1),
  ('A',       'current',           1,    1,  0, '0',      1),
  ('Hz',      'frequency',         1,    1,  0, '0',      1),
  ('1',       'ratio',             1,    1,  0, '0',      0),
  ('%',       'ratio',             1,    1, -2, '0',      0),
  ('K',       'temperature',       1,    1,  0, '0',      1),
  ('degC',    'temperature',       1,    1,  0, '273.15', 0),
  ('degF',    'temperature',       5,    9,  0, '459.67', 0),
  ('m',       'length',            1,    1,  0, '0',      1),
  ('l/m2',    'length',            1,    1, -3, '0',      0),  -- rain: a litre on a square metre is a millimetre
  ('m3',      'volume',            1,    1,  0, '0',      0),  -- no prefixes: dm3 is a cubed prefix
  ('dm3',     'volume',            1,    1, -3, '0',      0),
  ('cm3',     'volume',            1,    1, -6, '0',      0),
  ('l',       'volume',            1,    1, -3, '0',      1),
  ('m3/h',    'volume flow',       1,    1,  0, '0',      0),
  ('m3/s',    'volume flow',       36,   1,  2, '0',      0),
  ('l/h',     'volume flow',       1,    1, -3, '0',      0),
  ('l/min',   'volume flow',       6,    1, -2, '0',      0),
  ('l/s',     'volume flow',       36,   1, -1, '0',      0),
  ('Pa',      'pressure',          1,    1,  0, '0',      1),
  ('bar',     'pressure',          1,    1,  5, '0',      1),
  ('m/s',     'speed',             1,    1,  0, '0',      1),
  ('km/h',    'speed',             5,   18,  0, '0',      0),
  ('kn',      'speed',             463, 900, 0, '0',      0),  -- 1852 m an hour
  ('deg',     'angle',             1,    1,  0, '0',      0),
  ('W/m2',    'irradiance',        1,    1,  0, '0',      1),
  ('EUR/kWh', 'price of energy',   1,    1,  0, '0',      0),
  ('EUR/MWh', 'price of energy',   1,    1, -3, '0',      0),
  ('EUR/Wh',  'price of energy',   1,    1,  3, '0',      0),
  ('ct/kWh',  'price of energy',   1,    1, -2, '0',      0);

-- Other spellings: the codes of UN/ECE recommendation 20, and what people write.
INSERT OR IGNORE INTO unit_alias(alias, name) VALUES
  ('WHR', 'Wh'), ('KWH', 'kWh'), ('MWH', 'MWh'), ('GWH', 'GWh'), ('D32', 'TWh'),
  ('JOU', 'J'), ('KJO', 'kJ'), ('3B', 'MJ'), ('GV', 'GJ'), ('D30', 'TJ'),
  ('WTT', 'W'), ('KWT', 'kW'), ('MAW', 'MW'), ('A90', 'GW'),
  ('D44', 'var'), ('KVR', 'kvar'), ('K5', 'kvar'), ('VAr', 'var'), ('kVAr', 'kvar'), ('MVAr', 'Mvar'),
  ('K3', 'kvarh'), ('MAH', 'Mvarh'), ('VArh', 'varh'), ('kVArh', 'kvarh'), ('MVArh', 'Mvarh'),
  ('D46', 'VA'), ('KVA', 'kVA'), ('MVA', 'MVA'),
  ('VLT', 'V'), ('KVT', 'kV'), ('2Z', 'mV'), ('AMP', 'A'), ('4K', 'mA'), ('B22', 'kA'),
  ('HTZ', 'Hz'), ('KHZ', 'kHz'), ('MHZ', 'MHz'),
  ('C62', '1'), ('P1', '%'),
  ('CEL', 'degC'), ('FAH', 'degF'), ('KEL', 'K'), ('Cel', 'degC'), ('°C', 'degC'), ('°F', 'degF'),
  ('MTR', 'm'), ('CMT', 'cm'), ('MMT', 'mm'),
  ('MTQ', 'm3'), ('DMQ', 'dm3'), ('CMQ', 'cm3'), ('LTR', 'l'), ('L', 'l'), ('m³', 'm3'),
  ('MQH', 'm3/h'), ('MQS', 'm3/s'), ('E32', 'l/h'), ('L2', 'l/min'), ('G51', 'l/s'), ('m³/h', 'm3/h'),
  ('PAL', 'Pa'), ('A97', 'hPa'), ('KPA', 'kPa'), ('MPA', 'MPa'), ('BAR', 'bar'), ('MBR', 'mbar'),
  ('MTS', 'm/s'), ('KMH', 'km/h'), ('KNT', 'kn'),
  ('DD', 'deg'), ('°', 'deg'), ('D54', 'W/m2'), ('W/m²', 'W/m2');

-- ---- types ---- open = 1: takes any property, as a gauge, with the unit stated the first time
INSERT OR IGNORE INTO type(name, open) VALUES
  ('SmartMeter', 0), ('MainMeter', 0), ('EnergyMeter', 0), ('HeatMeter', 0), ('Generation', 0), ('Battery', 0),
  ('HeatStorage', 0), ('ElectricVehicle', 0), ('ChargingStation', 0), ('HeatPump', 0), ('Load', 0), ('Weather', 0),
  ('Calendar', 0), ('Property', 1), ('HeatingController', 0), ('LivingUnit', 0), ('BuildingManagement', 0),
  ('DistrictHeating', 0);

-- ---- properties ---- kind: gauge (sampled), counter (ever-growing register), interval (amount over a period), state (text)
-- step = 1: holds its value until the next reading, else it runs linearly. phases = 1: also with suffix L1, L2, L3.
INSERT OR IGNORE INTO property(type, name, unit, kind, step, phases) VALUES
  ('SmartMeter', 'activeEnergyImport', 'Wh', 'counter', 0, 1),
  ('SmartMeter', 'activeEnergyExport', 'Wh', 'counter', 0, 1),
  ('SmartMeter', 'energy', 'Wh', 'interval', 0, 1),
  ('SmartMeter', 'activePower', 'W', 'gauge', 0, 1),
  ('SmartMeter', 'voltage', 'V', 'gauge', 0, 1),
  ('SmartMeter', 'current', 'A', 'gauge', 0, 1),
  ('SmartMeter', 'tariff', '', 'state', 0, 0),

  ('MainMeter', 'activeEnergyImport', 'Wh', 'counter', 0, 1),
  ('MainMeter', 'activeEnergyExport', 'Wh', 'counter', 0, 1),
  ('MainMeter', 'energy', 'Wh', 'interval', 0, 1),
  ('MainMeter', 'activePower', 'W', 'gauge', 0, 1),
  ('MainMeter', 'voltage', 'V', 'gauge', 0, 1),
  ('MainMeter', 'current', 'A', 'gauge', 0, 1),
  ('MainMeter', 'tariff', '', 'state', 0, 0),

  ('EnergyMeter', 'activeEnergyImport', 'Wh', 'counter', 0, 1),
  ('EnergyMeter', 'activeEnergyDay', 'Wh', 'counter', 0, 1),
  ('EnergyMeter', 'activeEnergyNight', 'Wh', 'counter', 0, 1),
  ('EnergyMeter', 'reactiveEnergyImport', 'varh', 'counter', 0, 1),
  ('EnergyMeter', 'energy', 'Wh', 'interval', 0, 1),
  ('EnergyMeter', 'reactiveEnergy', 'varh', 'interval', 0, 1),
  ('EnergyMeter', 'activePower', 'W', 'gauge', 0, 1),
  ('EnergyMeter', 'reactivePower', 'var', 'gauge', 0, 1),
  ('EnergyMeter', 'powerFactor', '1', 'gauge', 0, 1),
  ('EnergyMeter', 'frequency', 'Hz', 'gauge', 0, 1),
  ('EnergyMeter', 'voltage', 'V', 'gauge', 0, 1),
  ('EnergyMeter', 'current', 'A', 'gauge', 0, 1),

  ('HeatMeter', 'operationalState', '', 'state', 0, 0),
  ('HeatMeter', 'thermalPower', 'W', 'gauge', 0, 0),
  ('HeatMeter', 'inputTemperature', 'degC', 'gauge', 0, 0),
  ('HeatMeter', 'outputTemperature', 'degC', 'gauge', 0, 0),
  ('HeatMeter', 'thermalEnergy', 'Wh', 'counter', 0, 0),
  ('HeatMeter', 'activePower', 'W', 'gauge', 0, 1),

  ('Generation', 'activeEnergyImport', 'Wh', 'counter', 0, 1),
  ('Generation', 'activeEnergyExport', 'Wh', 'counter', 0, 1),
  ('Generation', 'totalYield', 'Wh', 'counter', 0, 1),
  ('Generation', 'reactiveEnergyImport', 'varh', 'counter', 0, 1),
  ('Generation', 'energy', 'Wh', 'interval', 0, 1),
  ('Generation', 'activePower', 'W', 'gauge', 0, 1),
  ('Generation', 'voltage', 'V', 'gauge', 0, 1),
  ('Generation', 'current', 'A', 'gauge', 0, 1),
  ('Generation', 'frequency', 'Hz', 'gauge', 0, 1),

  ('Battery', 'stateOfCharge', '%', 'gauge', 0, 0),
  ('Battery', 'chargePower', 'W', 'gauge', 0, 1),
  ('Battery', 'dischargePower', 'W', 'gauge', 0, 1),
  ('Battery', 'operationalState', '', 'state', 0, 0),

  ('HeatStorage', 'temperature', 'degC', 'gauge', 0, 0),
  ('HeatStorage', 'minTemperature', 'degC', 'gauge', 0, 0),
  ('HeatStorage', 'maxTemperature', 'degC', 'gauge', 0, 0),
  ('HeatStorage', 'volume', 'm3', 'gauge', 0, 0),

  ('ElectricVehicle', 'stateOfCharge', '%', 'gauge', 0, 0),

  ('ChargingStation', 'maxPower', 'W', 'gauge', 0, 1),
  ('ChargingStation', 'minPower', 'W', 'gauge', 0, 1),
  ('ChargingStation', 'chargingPower', 'W', 'gauge', 0, 1),
  ('ChargingStation', 'voltage', 'V', 'gauge', 0, 1),
  ('ChargingStation', 'current', 'A', 'gauge', 0, 1),
  ('ChargingStation', 'energy', 'Wh', 'interval', 0, 1),
  ('ChargingStation', 'price', 'EUR/kWh', 'gauge', 0, 0),

  ('HeatPump', 'energy', 'Wh', 'interval', 0, 1),
  ('HeatPump', 'calorimeterEnergy', 'Wh', 'counter', 0, 0),
  ('HeatPump', 'activePower', 'W', 'gauge', 0, 1),
  ('HeatPump', 'operationalState', '', 'state', 0, 0),

  ('Load', 'activeEnergyImport', 'Wh', 'counter', 0, 1),
  ('Load', 'energy', 'Wh', 'interval', 0, 1),
  ('Load', 'activePower', 'W', 'gauge', 0, 1),
  ('Load', 'current', 'A', 'gauge', 0, 1),

  ('Weather', 'temperature', 'degC', 'gauge', 0, 0),  -- observations, and forecasts with `issued`
  ('Weather', 'precipitation', 'mm', 'interval', 0, 0),
  ('Weather', 'humidity', '%', 'gauge', 0, 0),
  ('Weather', 'windDirection', 'deg', 'gauge', 0, 0),
  ('Weather', 'windSpeed', 'm/s', 'gauge', 0, 0),
  ('Weather', 'solarRadiation', 'W/m2', 'gauge', 0, 0),
  ('Weather', 'uvIndex', '1', 'gauge', 0, 0),

  ('Calendar', 'dayType', '', 'state', 0, 0),  -- working, weekend, bankHoliday, publicHoliday

  ('HeatingController', 'indoorTemperature', 'degC', 'gauge', 0, 0),
  ('HeatingController', 'outdoorTemperature', 'degC', 'gauge', 0, 0),
  ('HeatingController', 'spaceHeatingSetpoint', 'degC', 'gauge', 0, 0),
  ('HeatingController', 'hotWaterSetpoint', 'degC', 'gauge', 0, 0),
  ('HeatingController', 'boilerWaterTemperature', 'degC', 'gauge', 0, 0),
  ('HeatingController', 'hotWaterTemperature', 'degC', 'gauge', 0, 0),
  ('HeatingController', 'spaceHeatingUsage', 'Wh', 'counter', 0, 0),
  ('HeatingController', 'hotWaterUsage', 'Wh', 'counter', 0, 0),
  ('HeatingController', 'boilerModulation', '%', 'gauge', 0, 0),
  ('HeatingController', 'gasConsumption', 'm3', 'counter', 0, 0),

  ('LivingUnit', 'temperature', 'degC', 'gauge', 0, 0),
  ('LivingUnit', 'setpoint', 'degC', 'gauge', 0, 0),
  ('LivingUnit', 'districtHeatingTemperature', 'degC', 'gauge', 0, 0),
  ('LivingUnit', 'districtHeatingReturnTemperature', 'degC', 'gauge', 0, 0),
  ('LivingUnit', 'tappingTemperature', 'degC', 'gauge', 0, 0),
  ('LivingUnit', 'districtHeatingFlow', 'm3/h', 'gauge', 0, 0),

  ('BuildingManagement', 'zoneTemperature', 'degC', 'gauge', 0, 0),
  ('BuildingManagement', 'setpoint', 'degC', 'gauge', 0, 0),
  ('BuildingManagement', 'zoneHumidity', '%', 'gauge', 0, 0),

  ('DistrictHeating', 'consumption', 'Wh', 'interval', 0, 0),
  ('DistrictHeating', 'power', 'W', 'gauge', 0, 0);
