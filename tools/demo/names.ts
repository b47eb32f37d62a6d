import type { Chance } from './chance.ts';

const givenNames = (
  'Amara Anton Aiko Bilal Brigid Camila Chidi Dalia Dmitri Elif Emeka Esra Farid Freya Gabriel Giulia ' +
  'Hana Hugo Ines Ivo Jamal Jana Kofi Kira Layla Leon Łukasz Maja Malik Mei Milan Nadia Nils Noor Olga ' +
  'Omar Paula Pedro Quinn Rania Ravi Rosa Saoirse Sven Tariq Tessa Uma Viktor Wanda Xin Yara Yusuf Zoë Zuri'
).split(' ');

const familyNames = (
  'Adeyemi Almeida Andersson Aoki Bakker Balogun Barros Bianchi Çelik Costa Dąbrowski Diallo Dubois Eze ' +
  'Fischer Fontaine García Haddad Hansen Horvat Ito Ivanova Jansen Kaya Khan Kovač Kowalski Larsen Lindqvist ' +
  'Mbeki Mensah Moreau Müller Nakamura Ndiaye Nguyễn Novák Okafor Oliveira Öztürk Park Patel Petrov Quispe ' +
  'Rahman Rossi Sato Silva Singh Sørensen Tanaka Torres Usman Vargas Weber Yılmaz Zhang'
).split(' ');

const callSigns =
  'Ash Badger Comet Drift Ember Falcon Gale Heron Iris Jolt Kestrel Lynx Moth Nova Otter Pike Raven Sparrow Tide Wolf'.split(
    ' ',
  );

/** A name as players give themselves: most their own, some a call sign. Not unique, as in life. */
export function playerName(chance: Chance): string {
  if (chance.share() < 0.3) return `${chance.pick(callSigns)}${chance.below(100)}`;
  return `${chance.pick(givenNames)} ${chance.pick(familyNames)}`;
}
